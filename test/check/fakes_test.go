package check_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reims/reims-health/pkg/fleet"
	domain "github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/poll"
)

// fakeCmd starts something that is not the sidecar:
//
//	html       a web server, with pages
//	elsewhere  a server that redirects
//	json       an API that is another one
//	silent     a port that takes connections and never answers
//	greeter    a server of another protocol
//	fleet      a fleet program, for which a node fails
//	fleet-down one for which all Pods of a workload fail
//	fleet-hourly, fleet-late, fleet-silent  answers of one: of a workload that is asked once
//	           per hour, one that was not asked for longer, and one of which one Pod of ten answers
//	tls        a proxy before the sidecar that speaks TLS; ca.pem has its authority
//	free       nothing: a port where nothing listens
func (s *stage) fakeCmd(ts *testscript.TestScript, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: fake KIND")
	}
	switch kind := args[0]; kind {
	case "tls":
		return s.tlsProxy(ts)
	case "fleet", "fleet-down":
		return fleetProgram(ts, kind)
	case "silent", "greeter", "free":
		return bareListener(ts, kind)
	default:
		server := httptest.NewServer(fakes[kind])
		ts.Defer(server.Close)
		ts.Setenv("FAKE", server.URL)
		return nil
	}
}

var fakes = map[string]http.HandlerFunc{
	"html": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx/1.22.1")
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<html><title>404 Not Found</title></html>")
	},
	"elsewhere": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://login.example/?secret=canary", http.StatusFound)
	},
	"json": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"detail": "Not Found"}`)
	},
	"fleet-hourly": workload(`"status":"healthy","interval_ms":3600000,"age_ms":3000000`),
	"fleet-late":   workload(`"status":"healthy","interval_ms":3600000,"age_ms":3960000`),
	"fleet-silent": workload(`"status":"unhealthy","counts":{"known":10,"answering":1},"services":[
		{"name":"database","status":"unhealthy","extent":"shared","pods":{"unhealthy":1,"unknown":9}}]`),
}

// workload answers as the fleet program does, of one workload.
func workload(fields string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"workloads":[{"namespace":"shop","name":"reims",`+fields+`}]}`)
	}
}

func bareListener(ts *testscript.TestScript, kind string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ts.Setenv("FAKE", "http://"+listener.Addr().String())
	if kind == "free" {
		return listener.Close()
	}
	var greeting sync.WaitGroup
	ts.Defer(func() {
		_ = listener.Close()
		greeting.Wait()
	})
	if kind == "greeter" { // the silent one leaves it to the kernel to take connections
		greeting.Go(func() { greet(listener) })
	}
	return nil
}

func greet(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
		_ = conn.Close()
	}
}

func (s *stage) tlsProxy(ts *testscript.TestScript) error {
	target, err := url.Parse("http://" + s.sidecar.addr)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }})
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // who refuses the certificate is told by the client
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Setenv("FAKE", server.URL)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return os.WriteFile(ts.MkAbs("ca.pem"), authority, 0o600)
}

// fleetProgram asks a farm of sidecars, and answers once it has been round.
func fleetProgram(ts *testscript.TestScript, kind string) error {
	say := func(status domain.Status, reason domain.Reason) farm.Behaviour {
		return farm.Behaviour{Response: farm.Response(farm.Service{Name: "database", Status: status, Reason: reason}, farm.Service{Name: "redis", Status: domain.Healthy})}
	}
	f := farm.New(func(a netip.AddrPort) farm.Behaviour {
		if farm.Number(a) < 2 || kind == "fleet-down" {
			return say(domain.Unhealthy, domain.ReasonRefused)
		}
		return say(domain.Healthy, "")
	})
	c := fleet.NewCollector(fleet.Options{Dial: f.Dial})
	for name, pods := range map[string][]fleet.Pod{"reims": farm.Pods(8, 2, 0), "ledger": farm.Pods(8, 2, 0)[4:]} {
		c.Set(&fleet.Target{Workload: fleet.Workload{Namespace: "shop", Name: name}, Interval: time.Second, Pods: pods})
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	server := httptest.NewServer(fleet.NewHandler(c, fleet.PageOptions{}))
	ts.Defer(func() {
		server.Close()
		cancel()
		ts.Check(<-done)
	})
	ts.Setenv("FAKE", server.URL)
	if !poll.Poll(ctx, time.Minute, func() bool { return len(c.Summaries()) == 2 }) {
		return errors.New("no round in a minute")
	}
	return nil
}
