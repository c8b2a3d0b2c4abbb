package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/poll"
)

// TestConnectionLimit fills the server with requests under way: another client waits
// for one to end. After the crowd, connections are kept alive again.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 257), make(chan struct{})
	s, err := server.ListenLimited(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}), server.Times{})
	r := start(t, s, err)
	ask := func() net.Conn {
		c := r.dial(t)
		if _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var held []net.Conn
	for range 256 {
		held = append(held, ask())
		<-entered
	}
	further := ask()
	wantWaiting(t, further)
	if len(entered) > 0 {
		t.Fatal("connection 257 does not wait")
	}
	leave <- struct{}{}
	<-entered // connection 257
	close(leave)
	for i, c := range append(held, further) {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if code := answerTo(t, c, http.MethodGet); code != http.StatusOK {
			t.Errorf("connection %d: code %d", i+1, code)
		}
	}
	poll.Until(t, "connections are kept alive again", func() bool {
		c := r.dial(t)
		return say(t, c, aRequest) == http.StatusOK && again(c)
	})
}

// wantWaiting wants a connection that has asked to have no answer yet.
func wantWaiting(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Fatalf("connection 257 does not wait: %d, %v", n, err)
	}
}

// again reports whether a connection that has had an answer gives another one.
func again(c net.Conn) bool {
	_, _ = io.WriteString(c, aRequest)
	n, _ := c.Read(make([]byte, 1))
	return n == 1
}

// TestIdleGiveWay has as many clients as may connect, who stay after their answer:
// that keeps nobody else waiting, nor are the connections of a few closed.
func TestIdleGiveWay(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, healthy(), quiet)
	r := start(t, s, err)
	early := r.dial(t)
	say(t, early, aRequest)
	for i := range 2 * 256 {
		c := r.dial(t)
		if code := say(t, c, aRequest); code != http.StatusOK {
			t.Fatalf("client %d: code %d", i+1, code)
		}
		if i == 100 && !again(early) {
			t.Error("one of a hundred connections was closed")
		}
	}
}

// TestBusyGiveWay has as many clients as may connect, who ask again and again, so that none is
// idle for long: while another client waits, each is closed after its answer.
func TestBusyGiveWay(t *testing.T) {
	t.Parallel()
	s, err := server.ListenLimited(t.Context(), healthy(), server.Times{}) // in which none is idle for long enough
	r := start(t, s, err)
	var busy []net.Conn
	for range 256 {
		c := r.dial(t)
		say(t, c, aRequest)
		busy = append(busy, c)
	}
	further := r.dial(t)
	if _, err := io.WriteString(further, aRequest); err != nil {
		t.Fatal(err)
	}
	wantWaiting(t, further)
	say(t, busy[0], aRequest)
	_ = further.SetReadDeadline(time.Now().Add(time.Minute))
	if code := answerTo(t, further, http.MethodGet); code != http.StatusOK {
		t.Errorf("connection 257: code %d", code)
	}
	if again(busy[0]) {
		t.Error("the connection that asked again is kept")
	}
}

// TestProbesInACrowd has more clients than may connect, who use their connections badly, and
// come again when they are cut off. A probe of the kubelet is a new connection that must be
// answered within a second.
func TestProbesInACrowd(t *testing.T) {
	t.Parallel()
	const crowd, probes = 300, 100
	header := "GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"
	large := make([]byte, 1<<20) // about the largest answer of the history
	for name, behave := range map[string]func(c net.Conn){
		"silent": func(net.Conn) {},
		"a header line each half second": func(c net.Conn) {
			for _, err := io.WriteString(c, "GET /health HTTP/1.1\r\nHost: x\r\n"); err == nil; _, err = io.WriteString(c, "X-Slow: 1\r\n") {
				if gone(c, 500*time.Millisecond) {
					return
				}
			}
		},
		"a body that does not come": func(c net.Conn) {
			_, _ = io.WriteString(c, "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
		},
		"an answer that is not taken": func(c net.Conn) {
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			_, _ = io.WriteString(c, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		},
		"stays connected after its answer": func(c net.Conn) { _, _ = io.WriteString(c, aRequest) },
		"asks again at once": func(c net.Conn) {
			for _, err := io.WriteString(c, aRequest); err == nil; _, err = io.WriteString(c, aRequest) {
				if n, _ := c.Read(make([]byte, 512)); n == 0 {
					return
				}
				_ = poll.Pause(t.Context(), 20*time.Millisecond) // or the clients alone take all of the processors
			}
		},
		"a header that is too large": func(c net.Conn) {
			_, _ = io.WriteString(c, header)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := server.Listen(t.Context(), anyPort, server.TLSFiles{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/large" {
					_, _ = w.Write(large)
				}
			}), quiet)
			address := start(t, s, err).Addr().String()
			var clients sync.WaitGroup
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // it takes three seconds
			for range crowd {
				clients.Go(func() {
					for ctx.Err() == nil {
						behaveBadly(ctx, address, behave)
						_ = poll.Pause(ctx, time.Second)
					}
				})
			}
			var took []time.Duration
			for ctx.Err() == nil && len(took) < probes {
				took = append(took, probe(t, address))
				_ = poll.Pause(ctx, 20*time.Millisecond)
			}
			cancel()
			clients.Wait()
			slices.Sort(took)
			p75, p99 := took[len(took)*3/4], took[len(took)*99/100]
			t.Logf("%d probes: median %v, 75th percentile %v, 99th %v, longest %v", len(took), took[len(took)/2], p75, p99, took[len(took)-1])
			if p75 > 500*time.Millisecond { // usually a millisecond
				t.Errorf("a quarter of %d probes took longer than %v", len(took), p75)
			}
		})
	}
}

func behaveBadly(ctx context.Context, address string, behave func(net.Conn)) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	behave(c)
	for !gone(c, time.Second) && ctx.Err() == nil {
	}
}

// gone reads for so long, and reports whether the server closed the connection.
func gone(c net.Conn, wait time.Duration) bool {
	_ = c.SetReadDeadline(time.Now().Add(wait))
	_, err := c.Read(make([]byte, 512))
	return err != nil && !isTimeout(err)
}

// probe asks as the kubelet does, and returns how long that took; a minute where it failed.
func probe(t *testing.T, address string) time.Duration {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	began := time.Now()
	response, err := client.Get("http://" + address + "/health/live")
	if err != nil {
		t.Logf("a probe failed after %v: %v", time.Since(began), err)
		return time.Minute
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return time.Since(began)
}
