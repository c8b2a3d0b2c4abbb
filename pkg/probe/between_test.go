package probe_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
	"github.com/reims/reims-health/test/servers"
)

// A proxy whose only server is down answers in its place. Nothing is known of the
// service then.
func TestWebProxyWithoutServer(t *testing.T) {
	t.Parallel()
	for _, program := range []servers.ProxyProgram{servers.Nginx, servers.HAProxy} {
		gone := listen(t)
		_ = gone.Close()
		proxy := servers.RunProxy(t, servers.ProxyOptions{Program: program, Target: gone.Addr().String()})
		for name, p := range webProbes(t, proxy.Addr(), 5*time.Second) {
			f := fault(t, p, health.Protocol)
			says(t, f, "something between", "status 50")
			if f.Severity != health.Inherit {
				t.Errorf("%s behind %s: severity %v", name, program, f.Severity)
			}
		}
	}
}

// MinIO behind the proxies, from its start to its end.
func TestMinIOBehindProxy(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	for _, program := range []servers.ProxyProgram{servers.Nginx, servers.HAProxy} {
		proxy := servers.RunProxy(t, servers.ProxyOptions{Program: program, Target: m.Addr()})
		p := newMinIO(t, m, func(o *probe.MinIOOptions) { o.Endpoint = proxy.Addr() })
		eventually(t, "MinIO through "+proxy.Name(), func() bool { _, err := p.Check(t.Context()); return err == nil })
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		says(t, fault(t, p, health.Protocol), "something between")
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "MinIO through "+proxy.Name(), func() bool { _, err := p.Check(t.Context()); return err == nil })
	}
}

// What other proxies and balancers answer, in their own documents.
func TestWebAnswersOfProxies(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html>\n<html><head><title>Sign In</title></head></html>"
	for name, test := range map[string]struct {
		status       int
		header, body string
		words        string
	}{
		"Envoy":             {503, "Server: envoy", "no healthy upstream", "something between"},
		"Envoy, connect":    {503, "Server: envoy", "upstream connect error or disconnect/reset before headers. reset reason: connection failure", "something between"},
		"Envoy, timeout":    {504, "Server: envoy", "upstream request timeout", "something between"},
		"Envoy, rate limit": {429, "X-Envoy-Ratelimited: true", "local_rate_limited", "something between"},
		"Traefik":           {503, "Content-Type: text/plain", "no available server", "something between"},
		"Traefik, 502":      {502, "Content-Type: text/plain", "Bad Gateway", "something between"},
		"ALB":               {503, "Server: awselb/2.0", "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head></html>", "something between"},
		"Cloudflare":        {521, "Server: cloudflare", "error code: 521", "something between"},
		"JSON gateway":      {503, "Content-Type: application/json", `{"message":"failure to get a peer from the ring-balancer"}`, "something between"},
		"login page":        {200, "Content-Type: text/html", page, "web page"},
		"oauth2-proxy":      {403, "Content-Type: text/html", page, "web page"},
		"page with 401":     {401, "Content-Type: text/html", page, "web page"},
		"to the login":      {302, "Location: https://sso.example/login", "", "redirects"},
		"to HTTPS":          {308, "Location: https://example.com/", "", "HTTPS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				key, value, _ := strings.Cut(test.header, ": ")
				w.Header().Set(key, value)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			for _, p := range webProbes(t, addr, 5*time.Second) {
				says(t, fault(t, p, health.Protocol), test.words)
			}
		})
	}
}

// Four drives: with two gone MinIO reads and does not write, with three it does not
// read either.
func TestMinIOQuorum(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{Drives: 4})
	makeBuckets(t, m, "reims")
	p := newMinIO(t, m, func(o *probe.MinIOOptions) { o.Buckets = []string{"reims"} })
	eventually(t, "all drives", func() bool { _, err := p.Check(t.Context()); return err == nil })
	lose := func(drives ...int) {
		for _, i := range drives {
			if err := os.Rename(m.Drive(i), m.Drive(i)+".away"); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost := func(severity health.Severity, words string) {
		t.Helper()
		var last error
		eventually(t, words, func() bool {
			p.Redial()
			_, last = p.Check(t.Context())
			return last != nil && strings.Contains(last.Error(), words)
		})
		if f := wantFault(t, last, health.Quorum); f.Severity != severity {
			t.Errorf("severity = %v, want %v", f.Severity, severity)
		}
	}
	lose(0, 1)
	lost(health.Unproven, "to write")
	lose(2)
	lost(health.Inherit, "to read")
	if err := m.Stop(); err != nil { // running, it makes the folders anew
		t.Fatal(err)
	}
	for i := range 3 {
		if err := errors.Join(os.RemoveAll(m.Drive(i)), os.Rename(m.Drive(i)+".away", m.Drive(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the drives are back", func() bool { _, err := p.Check(t.Context()); return err == nil })
}

// A server of another region names it, and is asked again.
func TestMinIOAnotherRegion(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"AWS":    "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'garage'</Message><Region>garage</Region></Error>",
		"others": "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region is wrong; expecting 'garage'.</Message></Error>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.Header.Get("Authorization"), "/garage/s3/aws4_request") {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = io.WriteString(w, document)
					return
				}
				_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
			}))
			w := newWire(t, addr)
			p := openMinIO(t, probe.MinIOOptions{Endpoint: w.addr(), Keys: keys("k", "s"), Timeout: 5 * time.Second})
			healthy(t, p)
			trips := w.trips.Load()
			healthy(t, p)
			if got := w.trips.Load() - trips; got != 1 {
				t.Errorf("%d round trips once the region is known, want 1", got)
			}
		})
	}
	says(t, fault(t, openMinIO(t, probe.MinIOOptions{
		Endpoint: serveHTTP(t, reply(400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>")), Keys: keys("k", "s"), Timeout: 5 * time.Second,
	}), health.Error), "region")
}

// A bucket that is elsewhere.
func TestMinIOBucketMoved(t *testing.T) {
	t.Parallel()
	addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
	}))
	p := openMinIO(t, probe.MinIOOptions{Endpoint: addr, Keys: keys("k", "s"), Buckets: []string{"mine"}, Timeout: 5 * time.Second})
	says(t, fault(t, p, health.Error), "another region", "MINIO_ENDPOINT")
}

// With buckets named, a list of others that is too long to be read is no fault.
func TestMinIOLongList(t *testing.T) {
	t.Parallel()
	var lists int
	long := func(start string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodGet:
				lists++
				_, _ = io.WriteString(w, start)
				for i := range 50_000 {
					_, _ = fmt.Fprintf(w, "<Bucket><Name>bucket-%036d</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>", i)
				}
			case r.URL.Path == "/gone":
				w.WriteHeader(http.StatusNotFound)
			}
		}
	}
	addr := serveHTTP(t, long(`<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets>`))
	open := func(addr string, buckets ...string) *probe.MinIO {
		return openMinIO(t, probe.MinIOOptions{Endpoint: addr, Keys: keys("k", "s"), Buckets: buckets, Timeout: 5 * time.Second})
	}
	p := open(addr, "mine")
	seen := healthy(t, p)
	if _, ok := seen.Find("buckets_count"); ok || len(seen.Notes) != 1 || seen.Latency <= 0 {
		t.Errorf("measures %v, notes %q, latency %v; want no count, and a note", seen.Measures, seen.Notes, seen.Latency)
	}
	healthy(t, p)
	if lists != 1 {
		t.Errorf("the list was asked for %d times, want once", lists)
	}
	fails(t, open(addr, "mine", "gone"), health.BucketMissing)
	fails(t, open(addr), health.Protocol)
	fails(t, open(serveHTTP(t, long("<html><body>")), "mine"), health.Protocol)
}

// A path that Ollama, or a proxy before it, does not answer costs only what needs it.
func TestOllamaWithheldPaths(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		paths    map[string]string
		required []string
		reason   health.Reason // empty: healthy
		note     string
	}{
		"no list":              {map[string]string{"/api/version": `{"version":"0.17.4"}`}, nil, "", "/api/tags"},
		"no list, but wanted":  {map[string]string{"/api/version": `{"version":"0.17.4"}`}, []string{"tiny"}, health.Forbidden, ""},
		"nothing":              {nil, nil, health.Protocol, ""},
		"another's version":    {map[string]string{"/api/version": `{"server":"x"}`}, nil, health.Protocol, ""},
		"list only":            {map[string]string{"/api/tags": `{"models":[{"name":"tiny:latest"}]}`}, []string{"TINY"}, "", "/api/ps"},
		"list and ps, no show": {map[string]string{"/api/tags": `{"models":[]}`, "/api/ps": `{"models":null}`}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, ok := test.paths[r.URL.Path]; ok {
					_, _ = io.WriteString(w, body)
					return
				}
				http.Error(w, "404 page not found", http.StatusNotFound)
			}))
			p := openOllama(t, probe.OllamaOptions{
				BaseURL: "http://" + addr, RequiredModels: test.required, InferenceModel: "tiny", Timeout: 5 * time.Second,
			})
			seen, err := p.Check(t.Context())
			if test.reason != "" {
				_ = wantFault(t, err, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen.Notes, " "); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
				t.Errorf("notes %q, want one on %q", seen.Notes, test.note)
			}
		})
	}
}

// Ollama on a loopback address refuses a Host that it does not know, also where a
// proxy passes it on. That is not the proxy's refusal.
func TestOllamaRefusesHost(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	foreign := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: o.Addr(), HostHeader: "ollama.example.com"})
	says(t, fault(t, openOllama(t, probe.OllamaOptions{BaseURL: foreign.Endpoint(), Timeout: 5 * time.Second}), health.Forbidden),
		"Ollama refuses the host name", "OLLAMA_HOST=0.0.0.0")
	local := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Nginx, Target: o.Addr(), HostHeader: "localhost"})
	healthy(t, openOllama(t, probe.OllamaOptions{BaseURL: local.Endpoint(), Timeout: 5 * time.Second}))
}
