package dependency_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	httpkind "github.com/reims/reims-health/pkg/dependency/http"
	"github.com/reims/reims-health/pkg/dependency/ollama"
	"github.com/reims/reims-health/pkg/dependency/s3"
	"github.com/reims/reims-health/test/checking"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// checker is what the kinds that speak HTTP have in common here.
type checker interface {
	health.Checker
	health.Redialer
	Close() error
}

func keys(context.Context) (access, secret string, err error) { return "k", "s", nil }

// closing closes a checker at the end of the test.
func closing[C io.Closer](t *testing.T, c C) C {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// allWebProbes returns one of each probe that speaks HTTP, for a server at addr.
func allWebProbes(t *testing.T, addr string, timeout time.Duration) map[string]checker {
	t.Helper()
	all := webProbes(t, addr, timeout)
	all["http"] = closing(t, httpkind.New(httpkind.Options{
		URL: url.URL{Scheme: "http", Host: addr}, Statuses: []httpkind.Statuses{{First: 200, Last: 399}}, Timeout: timeout, Prefix: "HTTP_",
	}))
	return all
}

// webProbes returns those of a service that has a form of its own.
func webProbes(t *testing.T, addr string, timeout time.Duration) map[string]checker {
	t.Helper()
	return map[string]checker{
		"minio":  closing(t, s3.New(s3.Options{Endpoint: addr, Keys: keys, Timeout: timeout, Prefix: "MINIO_"})),
		"ollama": closing(t, ollama.New(ollama.Options{BaseURL: "http://" + addr, Timeout: timeout, Prefix: "OLLAMA_"})),
	}
}

// begins answers with the beginning of an answer, and closes the connection.
func begins(text string) func(net.Conn) {
	return func(c net.Conn) {
		checking.ReadSome(c)
		_, _ = io.WriteString(c, text)
	}
}

func TestWebWrongServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		serve  func(net.Conn)
		reason health.Reason
	}{
		"SSH":        {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); checking.Drain(c) }, health.ReasonProtocol},
		"Redis":      {checking.Saying("-ERR unknown command\r\n"), health.ReasonProtocol},
		"bad header": {checking.Saying("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), health.ReasonProtocol},
		"long header": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			checking.Flood(c, "X-Y: "+strings.Repeat("z", 1<<16))
		}, health.ReasonProtocol},
		"bad chunk":   {checking.Saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), health.ReasonProtocol},
		"TLS":         {checking.ServeTLS(t), health.ReasonTLS},
		"nginx HTTPS": {checking.Saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 58\r\n\r\nThe plain HTTP request was sent to HTTPS port............."), health.ReasonTLS},
		"closes":      {func(net.Conn) {}, health.ReasonReset},
		"cut at once": {begins("HTT"), health.ReasonReset},
		"cut status":  {begins("HTTP/1.1 20"), health.ReasonReset},
		"cut header":  {begins("HTTP/1.1 200 OK\r\nDat"), health.ReasonReset},
		"cut SSH":     {begins("SSH-2.0-Op"), health.ReasonProtocol},
		"cut body": {func(c net.Conn) {
			checking.ReadSome(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
		}, health.ReasonReset},
		"never answers": {checking.Drain, health.ReasonTimeout},
		"hangs in body": {checking.Saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), health.ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, p := range allWebProbes(t, checking.Answering(t, test.serve), time.Second) {
				checking.Fails(t, p, test.reason)
			}
		})
	}
}

func TestWebUnknownHost(t *testing.T) {
	t.Parallel()
	for _, p := range allWebProbes(t, "server.invalid:80", 5*time.Second) {
		checking.Fails(t, p, health.ReasonDNS)
	}
}

// A reply without end is neither read to its end nor held.
func TestWebHugeReplyIsNotHeld(t *testing.T) {
	addr := checking.ServeHTTP(t, http.HandlerFunc(checking.Huge))
	for name, p := range webProbes(t, addr, 5*time.Second) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		checking.Fails(t, p, health.ReasonProtocol)
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
	proxy := checking.ServeHTTP(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	t.Setenv("HTTP_PROXY", "http://"+proxy)
	t.Setenv("http_proxy", "http://"+proxy)
	for _, p := range allWebProbes(t, "server.invalid:80", 5*time.Second) {
		checking.Fails(t, p, health.ReasonDNS)
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
	gone := checking.Listen(t)
	_ = gone.Close()
	for name, addr := range map[string]string{
		"refused":       gone.Addr().String(),
		"frozen":        frozen.Addr(),
		"garbage":       checking.Answering(t, checking.Saying("garbage\r\n")),
		"closes":        checking.Answering(t, func(net.Conn) {}),
		"503":           checking.ServeHTTP(t, checking.Reply(503, "")),
		"checking.Huge": checking.ServeHTTP(t, http.HandlerFunc(checking.Huge)),
	} {
		for service, p := range webProbes(t, addr, 15*time.Millisecond) {
			t.Run(service+" "+name, func(t *testing.T) {
				checking.LeaksNothing(t, func() {
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
	for name, p := range allWebProbes(t, checking.Answering(t, checking.Drain), time.Minute) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := p.Check(ctx)
		_ = checking.WantFault(t, err, health.ReasonTimeout)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s returned %v after its context was done", name, took)
		}
	}
}

// A proxy whose only server is down answers in its place. Nothing is known of the
// service then.
func TestWebProxyWithoutServer(t *testing.T) {
	t.Parallel()
	for _, program := range []servers.ProxyProgram{servers.Nginx, servers.HAProxy} {
		gone := checking.Listen(t)
		_ = gone.Close()
		proxy := servers.RunProxy(t, servers.ProxyOptions{Program: program, Target: gone.Addr().String()})
		for name, p := range webProbes(t, proxy.Addr(), 5*time.Second) {
			f := checking.Fault(t, p, health.ReasonProtocol)
			checking.Says(t, f, "something between", "status 50")
			if f.Severity != health.SeverityInherit {
				t.Errorf("%s behind %s: severity %v", name, program, f.Severity)
			}
		}
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
		"Spring gateway":    {503, "Content-Type: application/json", `{"timestamp":"2026-01-01","path":"/api/tags","status":503,"error":"Service Unavailable"}`, "something between"},
		"status as JSON":    {429, "Content-Type: application/json", `{"error":"Too Many Requests"}`, "something between"},
		"APISIX":            {502, "Server: APISIX", `{"error_msg":"502 Bad Gateway"}`, "something between"},
		"OpenAI's form":     {503, "Content-Type: application/json", `{"error":{"message":"busy","code":503}}`, "something between"},
		"page with S3's id": {503, "X-Amz-Request-Id: 17F0", page, "something between"},
		"health page":       {200, "Content-Type: text/plain", "OK", "is not"},
		"health JSON":       {200, "Content-Type: application/json", `{"status":"UP"}`, "is not"},
		"no content":        {204, "Server: cloudfront", "", "is not"},
		"to HTTPS":          {308, "Location: https://example.com/", "", "HTTPS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := checking.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				key, value, _ := strings.Cut(test.header, ": ")
				w.Header().Set(key, value)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			for _, p := range webProbes(t, addr, 5*time.Second) {
				checking.Says(t, checking.Fault(t, p, health.ReasonProtocol), test.words)
			}
		})
	}
}
