package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/scenario"
)

const anyPort = "127.0.0.1:0"

var quiet = slog.New(slog.DiscardHandler)

// running is a server that was started; it is stopped with the test.
type running struct {
	*server.Server
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, s *server.Server, err error) *running {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{s, cancel, make(chan error, 1)}
	go func() { r.done <- s.Start(ctx) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

// stop stops the server, once, and returns how long that took.
func (r *running) stop(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	r.cancel()
	select {
	case err, first := <-r.done:
		if first {
			close(r.done)
		}
		if err != nil {
			t.Errorf("Start: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("Start did not return")
	}
	return time.Since(began)
}

func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// say sends raw text and returns the code of the answer, or 0 where the server closed
// the connection without one.
func say(t *testing.T, c net.Conn, text string) int {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ") // an answer to HEAD has a length and no body
	return answerTo(t, c, method)
}

func answerTo(t *testing.T, c net.Conn, method string) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

const aRequest = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

func healthy() http.Handler { return scenario.NewHandler(scenario.AllWell().View(0), server.Full) }

func TestListen(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, healthy(), quiet)
	r := start(t, s, err)
	if code := say(t, r.dial(t), aRequest); code != http.StatusOK {
		t.Errorf("code %d", code)
	}
	if code := say(t, r.dial(t), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"); code != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS *: code %d", code)
	}
	addr := r.Addr().String()
	_, err = server.Listen(t.Context(), addr, server.TLSFiles{}, healthy(), quiet)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "listen on "+addr+":") {
		t.Errorf("port in use: %v", err)
	}
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, healthy(), quiet)
	r := start(t, s, err)
	for size, want := range map[int]int{7 << 10: 200, 16 << 10: 200, 31 << 10: 200, 40 << 10: 431} {
		text := fmt.Sprintf("GET /health HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", size))
		if code := say(t, r.dial(t), text); code != want {
			t.Errorf("a header of %d: code %d, want %d", size, code, want)
		}
	}
}

// What balancers and monitors send. An answer of 2xx to OPTIONS would tell HAProxy that a
// Pod is well, whatever its state.
func TestRequestsOfBalancers(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, healthy(), quiet)
	r := start(t, s, err)
	for name, test := range map[string]struct {
		text string
		want int
	}{
		"HAProxy's default check":       {"OPTIONS / HTTP/1.0\r\n\r\n", 405},
		"HTTP/1.0 without Host":         {"GET /health/ready HTTP/1.0\r\n\r\n", 200},
		"HTTP/1.1 without Host":         {"GET /health/ready HTTP/1.1\r\n\r\n", 400},
		"HEAD":                          {"HEAD /health/ready HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		"through a forward proxy":       {"GET http://api:8008/health/ready HTTP/1.1\r\nHost: api:8008\r\n\r\n", 200},
		"a trailing slash and a query":  {"GET /health/ready/?probe=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200},
		"curl with a body":              {"GET /health/ready HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 200},
		"an offer of HTTP/2":            {"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200},
		"HTTP/2 at once":                {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405},
		"HAProxy with send-proxy":       {"PROXY TCP4 10.0.0.1 10.0.0.2 4711 8008\r\nGET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"HTTP/0.9":                      {"GET /health/ready\r\n\r\n", 400},
		"a path that is not ours":       {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		"POST, as some monitors prefer": {"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
	} {
		if code := say(t, r.dial(t), test.text); code != test.want {
			t.Errorf("%s: code %d, want %d", name, code, test.want)
		}
	}
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.As(err, &timed) && timed.Timeout()
}

// TestTimeouts has clients that stop halfway. Each is cut off at the one limit that
// is short.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	const limit = 200 * time.Millisecond
	for name, test := range map[string]struct {
		times   server.Times
		text    string
		handler bool // the handler is the one to be told, else the client
	}{
		"nothing":         {server.Times{ReadHeader: limit}, "", false},
		"half a header":   {server.Times{ReadHeader: limit}, "GET /health HTTP/1.1\r\nHost", false},
		"half a body":     {server.Times{Write: limit}, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", true},
		"no reading":      {server.Times{Write: limit}, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", true},
		"no next request": {server.Times{Idle: limit}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			met := make(chan error, 1)
			s, err := server.ListenLimited(t.Context(), patient(met), test.times)
			began := time.Now()
			c := start(t, s, err).dial(t)
			if _, err := io.WriteString(c, test.text); err != nil {
				t.Fatal(err)
			}
			if test.handler {
				select {
				case err = <-met:
				case <-time.After(10 * time.Second):
				}
				if err == nil {
					t.Error("the handler goes on")
				}
			} else if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("still connected: %v", err)
			}
			if took := time.Since(began); took < limit {
				t.Errorf("cut off after %s, want %s", took, limit)
			}
		})
	}
}

// patient reads and writes for as long as it may, and tells what ended that.
func patient(met chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/large" {
			_, err = w.Write(make([]byte, 64<<20))
		}
		if err != nil {
			met <- err
		}
	})
}

func TestStopFinishesRequests(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s, err := server.ListenLimited(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	}), server.Times{})
	r := start(t, s, err)
	c := r.dial(t)
	if _, err := io.WriteString(c, aRequest); err != nil {
		t.Fatal(err)
	}
	<-entered
	r.cancel()
	poll.Until(t, "the listener is closed", func() bool {
		probe, err := net.Dial("tcp", r.Addr().String())
		if err == nil {
			_ = probe.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	close(leave)
	if code := answerTo(t, c, http.MethodGet); code != http.StatusOK {
		t.Errorf("the request under way: code %d", code)
	}
	r.stop(t)
}

// TestStopInTime is not parallel: it counts goroutines.
func TestStopInTime(t *testing.T) {
	for name, test := range map[string]struct {
		shutdown time.Duration
		text     string
		min, max time.Duration
	}{
		"idle, kept alive": {time.Minute, aRequest, 0, 20 * time.Second},
		"half a header":    {time.Second, "GET /health HTTP/1.1\r\nHost", time.Second, 20 * time.Second},
	} {
		before := runtime.NumGoroutine()
		s, err := server.ListenLimited(t.Context(), healthy(), server.Times{Shutdown: test.shutdown})
		r := start(t, s, err)
		c := r.dial(t)
		if _, err := io.WriteString(c, test.text); err != nil {
			t.Fatal(err)
		}
		say(t, r.dial(t), aRequest) // by now the first connection was accepted
		if test.text == aRequest {
			answerTo(t, c, http.MethodGet)
		}
		if took := r.stop(t); took < test.min || took > test.max {
			t.Errorf("%s: stopped after %s, want %s to %s", name, took, test.min, test.max)
		}
		noneLeft(t, name, before)
	}
}

// TestBroken loses the listener: that ends Start, and nothing stays connected.
func TestBroken(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, healthy(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Start(t.Context()) }()
	c := (&running{Server: s}).dial(t)
	say(t, c, aRequest)
	_ = s.Break()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "serve on "+s.Addr().String()) {
		t.Errorf("Start: %v", err)
	}
	noneLeft(t, "after an error", before)
}

// noneLeft waits until there are no more goroutines than before.
func noneLeft(t *testing.T, name string, before int) {
	t.Helper()
	poll.Seen(t, time.Minute, name+": no goroutine is left", func() (string, bool) {
		if runtime.NumGoroutine() <= before {
			return "", true
		}
		stacks := make([]byte, 1<<20)
		return string(stacks[:runtime.Stack(stacks, true)]), false
	})
}
