package probe_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
	"github.com/reims/reims-health/test/servers"
)

// serveHTTP answers on loopback until the test ends and returns host:port.
func serveHTTP(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// huge answers with 100 MB and does not say so beforehand.
func huge(w http.ResponseWriter, _ *http.Request) {
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 100 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// checker is what MinIO and Ollama have in common here.
type checker interface {
	health.Checker
	health.Redialer
	Close() error
}

// webProbes returns one of each probe that speaks HTTP, for a server at addr.
func webProbes(t *testing.T, addr string, timeout time.Duration) map[string]checker {
	t.Helper()
	return map[string]checker{
		"minio":  openMinIO(t, probe.MinIOOptions{Endpoint: addr, Keys: keys("k", "s"), Timeout: timeout}),
		"ollama": openOllama(t, probe.OllamaOptions{BaseURL: "http://" + addr, Timeout: timeout}),
	}
}

func TestWebWrongServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		serve  func(net.Conn)
		reason health.Reason
	}{
		"SSH":        {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); drain(c) }, health.Protocol},
		"Redis":      {saying("-ERR unknown command\r\n"), health.Protocol},
		"bad header": {saying("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), health.Protocol},
		"long header": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			flood(c, "X-Y: "+strings.Repeat("z", 1<<16))
		}, health.Protocol},
		"bad chunk":   {saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), health.Protocol},
		"TLS":         {serveTLS(t), health.TLS},
		"nginx HTTPS": {saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 58\r\n\r\nThe plain HTTP request was sent to HTTPS port............."), health.TLS},
		"closes":      {func(net.Conn) {}, health.Reset},
		"cut body": {func(c net.Conn) {
			readSome(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
		}, health.Reset},
		"never answers": {drain, health.Timeout},
		"hangs in body": {saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), health.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range webProbes(t, answering(t, test.serve), time.Second) {
				fails(t, p, test.reason)
			}
		})
	}
}

func TestWebUnknownHost(t *testing.T) {
	t.Parallel()
	for _, p := range webProbes(t, "server.invalid:80", 5*time.Second) {
		fails(t, p, health.DNS)
	}
}

// A reply without end is neither read to its end nor held.
func TestWebHugeReplyIsNotHeld(t *testing.T) {
	addr := serveHTTP(t, http.HandlerFunc(huge))
	for name, p := range webProbes(t, addr, 5*time.Second) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fails(t, p, health.Protocol)
		runtime.ReadMemStats(&after)
		// io.ReadAll allocates some five times what it returns; the server here is in
		// this process, and allocates its chunk.
		if got := after.TotalAlloc - before.TotalAlloc; got > 40<<20 {
			t.Errorf("%s allocated %d MB for a reply that is cut at 4 MB", name, got>>20)
		}
	}
}

func TestWebTakesNoProxyFromTheEnvironment(t *testing.T) {
	var asked atomic.Bool
	proxy := serveHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	t.Setenv("HTTP_PROXY", "http://"+proxy)
	t.Setenv("http_proxy", "http://"+proxy)
	for _, p := range webProbes(t, "server.invalid:80", 5*time.Second) {
		fails(t, p, health.DNS)
	}
	if asked.Load() {
		t.Error("a probe went through HTTP_PROXY")
	}
}

func TestWebLeaksNothing(t *testing.T) {
	frozen := servers.RunRedis(t, servers.RedisOptions{}) // any server will do
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	gone := listen(t)
	_ = gone.Close()
	for name, addr := range map[string]string{
		"refused": gone.Addr().String(),
		"frozen":  frozen.Addr(),
		"garbage": answering(t, saying("garbage\r\n")),
		"closes":  answering(t, func(net.Conn) {}),
		"503":     serveHTTP(t, reply(503, "")),
		"huge":    serveHTTP(t, http.HandlerFunc(huge)),
	} {
		for service, p := range webProbes(t, addr, 15*time.Millisecond) {
			t.Run(service+" "+name, func(t *testing.T) {
				leaksNothing(t, func() {
					if _, err := p.Check(t.Context()); err == nil {
						t.Fatal("Check succeeded")
					}
				})
			})
		}
	}
	if err := frozen.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func TestWebObeysItsContext(t *testing.T) {
	t.Parallel()
	for name, p := range webProbes(t, answering(t, drain), time.Minute) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := p.Check(ctx)
		_ = wantFault(t, err, health.Timeout)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s returned %v after its context was done", name, took)
		}
	}
}

func readSome(c net.Conn) { _, _ = c.Read(make([]byte, 4<<10)) }
