package fleet

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"
)

const goodBody = `{"services":{"db":"healthy"},"details":{}}`

// plain answers every connection with a text, and closes it.
func plain(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	return raw(t, func(conn net.Conn) { _, _ = io.WriteString(conn, text) })
}

// raw calls a handler for each connection, after something was read from it.
func raw(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 4096)); err == nil {
					handle(conn)
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// getServices sends the request to an address as the collector does.
func getServices(t *testing.T, p endpoint) ([]ServiceAnswer, Failure, time.Duration) {
	t.Helper()
	a := newClient(defaultTimeout, nil, nil)
	began := time.Now()
	body, conn, failure := a.get(t.Context(), p, nil, true)
	took := time.Since(began)
	closeAll(asSlice(conn))
	if failure != "" {
		return nil, failure, took
	}
	services, err := newParser().parse(body)
	if err != nil {
		failure = FailureProtocol
	}
	return services, failure, took
}

const jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// endless writes until the connection is closed.
func endless(head, text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, head)
		for chunk := strings.Repeat(text, 4096); err == nil; {
			_, err = io.WriteString(conn, chunk)
		}
	}
}

// trickle writes a byte at a time.
func trickle(text string) func(net.Conn) {
	return func(conn net.Conn) {
		for i := 0; ; i++ {
			if _, err := conn.Write([]byte{text[min(i, len(text)-1)]}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestHostileSidecars: each response of a Pod takes bounded time and memory, and has the expected
// failure.
func TestHostileSidecars(t *testing.T) {
	t.Parallel()
	whole := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(goodBody), goodBody)
	closed := raw(t, func(net.Conn) {})
	for _, c := range []struct {
		name string
		at   netip.AddrPort
		want Failure
	}{
		{"a good one", plain(t, jsonHead+whole), ""},
		{"unhealthy", plain(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"+whole), ""},
		{"of HTTP/1.0", plain(t, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"+goodBody), ""},
		{"in chunks", plain(t, jsonHead+"Transfer-Encoding: chunked\r\n\r\n5\r\n"+goodBody[:5]+"\r\n"+fmt.Sprintf("%x\r\n", len(goodBody)-5)+goodBody[5:]+"\r\n0\r\n\r\n"), ""},

		{"no connection", netip.MustParseAddrPort("127.0.0.1:1"), FailureUnreachable},
		{"closed without a word", closed, FailureUnreachable},
		{"half a header", plain(t, jsonHead), FailureUnreachable},
		{"half a body", plain(t, jsonHead+"Content-Length: 1000\r\n\r\n"+goodBody), FailureUnreachable},
		{"no answer", raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }), FailureTimeout},
		{"a slow header", raw(t, trickle("HTTP/1.1 200 OK\r\nX: y")), FailureTimeout},
		{"a slow name in the header", raw(t, trickle("HTTP/1.1 200 OK\r\nX")), FailureTimeout},
		{"a slow body", raw(t, trickle(jsonHead+"Content-Length: 60000\r\n\r\n{ ")), FailureTimeout},
		{"slow chunks", raw(t, trickle(jsonHead+"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1")), FailureTimeout},

		{"not found", plain(t, "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"+whole), FailureStatus},
		{"no rights", plain(t, "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"+whole), FailureStatus},
		{"an error", plain(t, "HTTP/1.1 500 Oh\r\n\r\n"), FailureStatus},
		{"continue", plain(t, "HTTP/1.1 100 Continue\r\n\r\n"+jsonHead+whole), FailureStatus},
		{"a redirect", plain(t, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data\r\nContent-Length: 0\r\n\r\n"), FailureProtocol},
		{"a redirect to itself", plain(t, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /health\r\nContent-Length: 0\r\n\r\n"), FailureProtocol},

		{"HTML", plain(t, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!DOCTYPE html><title>It works!</title>"), FailureProtocol},
		{"HTML that says it is JSON", plain(t, jsonHead+"\r\n<!DOCTYPE html>"), FailureProtocol},
		{"no content type", plain(t, "HTTP/1.1 200 OK\r\n"+whole), FailureProtocol},
		{"a content type that is none", plain(t, "HTTP/1.1 200 OK\r\nContent-Type: ;;\r\n"+whole), FailureProtocol},
		{"a body that is said to be large", plain(t, jsonHead+"Content-Length: 104857600\r\n\r\n"), FailureProtocol},
		{"a body of no end", raw(t, endless(jsonHead+"\r\n", `{"a":1},`)), FailureProtocol},
		{"chunks of no end", raw(t, endless(jsonHead+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n")), FailureProtocol},
		{"a header of no end", raw(t, endless("HTTP/1.1 200 OK\r\n", "X-Header: value\r\n")), FailureProtocol},
		{"a line of no end", raw(t, endless("HTTP/1.1 200 OK\r\nX: ", "x")), FailureProtocol},
		{"not HTTP", plain(t, "SSH-2.0-OpenSSH_9.6\r\n"), FailureProtocol},
		{"a negative length", plain(t, jsonHead+"Content-Length: -1\r\n\r\n"+goodBody), FailureProtocol},
		{"two lengths", plain(t, jsonHead+"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"+goodBody), FailureProtocol},
		{"a bad chunk", plain(t, jsonHead+"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"), FailureProtocol},
		{"another encoding", plain(t, jsonHead+"Transfer-Encoding: gzip\r\n\r\n{}"), FailureProtocol},
		{"no body", plain(t, jsonHead+"Content-Length: 0\r\n\r\n"), FailureProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			services, failure, took := getServices(t, endpoint{address: c.at})
			if failure != c.want || (failure == "") != (len(services) == 1) {
				t.Errorf("%q, %v, want %q", failure, services, c.want)
			}
			if took > 10*defaultTimeout || c.want == FailureTimeout && took < defaultTimeout {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestConnectionsAreKept: there is one connection per Pod until the sidecar closes it; then the
// request is sent again on a new one.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" || r.Method != http.MethodGet || r.Header.Get("Authorization") != "" || r.Proto != "HTTP/1.1" {
			t.Errorf("%s %s %s %v", r.Method, r.URL, r.Proto, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, goodBody)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	a, p := newClient(defaultTimeout, nil, nil), endpoint{address: netip.MustParseAddrPort(s.Listener.Addr().String())}
	var conn net.Conn
	get := func(keep bool, want int64) {
		t.Helper()
		body, rest, failure := a.get(t.Context(), p, conn, keep)
		if string(body) != goodBody || failure != "" || (rest != nil) != keep || connections.Load() != want {
			t.Fatalf("%q, %q, %v, %d connections, want %d", body, failure, rest, connections.Load(), want)
		}
		conn = rest
	}
	get(true, 1)
	get(true, 1)
	s.CloseClientConnections()
	get(true, 2)
	get(true, 2)
	get(false, 2)
	get(false, 3)
	get(true, 4)
	s.Config.SetKeepAlivesEnabled(false) // closes the idle connection, and says so in its answers
	body, rest, failure := a.get(t.Context(), p, conn, true)
	if string(body) != goodBody || failure != "" || rest != nil {
		t.Errorf("%q, %q, %v", body, failure, rest)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, goodBody)
	})
	s := httptest.NewUnstartedServer(answer)
	s.EnableHTTP2 = true // which the question does not ask for
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	without := httptest.NewServer(answer)
	t.Cleanup(without.Close)
	at := func(s *httptest.Server) netip.AddrPort { return netip.MustParseAddrPort(s.Listener.Addr().String()) }
	for _, c := range []struct {
		name, ca, server string
		at               netip.AddrPort
		want             Failure
	}{
		{"it is known", string(ca), "example.com", at(s), ""},
		{"by another name", string(ca), "reims.shop.svc", at(s), FailureTLS},
		{"by another authority", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "example.com", at(s), FailureTLS},
		{"it has no TLS", string(ca), "example.com", at(without), FailureTLS},
		{"it is asked without", "", "", at(s), FailureStatus},
		{"it is not there", string(ca), "example.com", netip.MustParseAddrPort("127.0.0.1:1"), FailureUnreachable},
		{"it shakes no hands", string(ca), "example.com", raw(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }), FailureTimeout},
		{"it closes", string(ca), "example.com", raw(t, func(net.Conn) {}), FailureTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, failure, _ := getServices(t, endpoint{c.at, newTLS(&Target{CA: []byte(c.ca), ServerName: c.server})})
			if failure != c.want {
				t.Errorf("%q, want %q", failure, c.want)
			}
		})
	}
}

// The client certificate is read again for each handshake.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	clients, others := checking.NewAuthority(t, from, until), checking.NewAuthority(t, from, until)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, goodBody)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.Roots()}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	to := endpoint{netip.MustParseAddrPort(s.Listener.Addr().String()), newTLS(&Target{CA: ca, ServerName: "example.com"})}
	good, foreign := clients.Issue(t, from, until, "fleet"), others.Issue(t, from, until, "fleet")
	read := 0
	for name, c := range map[string]struct {
		certificate func() (tls.Certificate, error)
		want        Failure
	}{
		"good":                {func() (tls.Certificate, error) { read++; return good, nil }, ""},
		"another authority's": {func() (tls.Certificate, error) { return foreign, nil }, FailureTLS},
		"unreadable":          {func() (tls.Certificate, error) { return tls.Certificate{}, errors.New("no such file") }, FailureTLS},
		"none":                {nil, FailureTLS},
	} {
		a := newClient(defaultTimeout, nil, c.certificate)
		for range 2 {
			if _, _, failure := a.get(t.Context(), to, nil, false); failure != c.want {
				t.Errorf("%s: %q, want %q", name, failure, c.want)
			}
		}
	}
	if read != 2 {
		t.Errorf("read %d times for two handshakes", read)
	}
}

// When the program stops, no request goes on.
func TestQuestionsEndWithTheProgram(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	at := raw(t, func(conn net.Conn) {
		close(entered)
		_, _ = conn.Read(make([]byte, 1))
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	_, _, failure := newClient(time.Hour, nil, nil).get(ctx, endpoint{address: at}, nil, true)
	if failure == "" {
		t.Error("an answer")
	}
}
