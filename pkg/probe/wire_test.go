package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// wire is a proxy on loopback that counts what passes between a probe and its
// server.
type wire struct {
	listener net.Listener
	target   string
	dials    atomic.Int64
	trips    atomic.Int64 // requests that came after an answer, or first
	work     sync.WaitGroup

	mu   sync.Mutex
	open []net.Conn
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	w := &wire{listener: listen(t), target: target}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		_ = w.listener.Close()
		w.hangUp()
		w.work.Wait()
	})
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.dials.Add(1)
		server, err := net.Dial("tcp", w.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		w.mu.Lock()
		w.open = append(w.open, client, server)
		w.mu.Unlock()

		answered := new(atomic.Bool)
		answered.Store(true)
		w.work.Go(func() {
			w.copy(server, client, func() {
				if answered.Swap(false) {
					w.trips.Add(1)
				}
			})
		})
		w.work.Go(func() { w.copy(client, server, func() { answered.Store(true) }) })
	}
}

func (w *wire) copy(to, from net.Conn, seen func()) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			seen()
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hangUp closes the connections that are open, as a server does that restarts.
func (w *wire) hangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

// answering listens on loopback and lets serve speak on each connection.
func answering(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l := listen(t)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

// saying answers whatever is asked with text, and then waits for the other side
// to go away.
func saying(text string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fails runs a check that must fail for this reason.
func fails(t *testing.T, c health.Checker, want health.Reason) {
	t.Helper()
	_ = fault(t, c, want)
}

// fault runs a check that must fail for this reason and returns how it did.
func fault(t *testing.T, c health.Checker, want health.Reason) *health.Fault {
	t.Helper()
	_, err := c.Check(t.Context())
	return wantFault(t, err, want)
}

func wantFault(t *testing.T, err error, want health.Reason) *health.Fault {
	t.Helper()
	var f *health.Fault
	if !errors.As(err, &f) || f.Reason != want {
		t.Fatalf("Check returned %v, want a fault of reason %s", err, want)
	}
	return f
}

// healthy runs a check that must not fail.
func healthy(t *testing.T, c health.Checker) health.Observation {
	t.Helper()
	seen, err := c.Check(t.Context())
	if err != nil {
		t.Fatalf("Check failed: %v", err)
	}
	return seen
}

// eventually calls ok until it is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// leaksNothing lets check run fifty times and compares what the process holds.
// The test must not be parallel.
func leaksNothing(t *testing.T, check func()) {
	t.Helper()
	check()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 50 {
		check()
	}
	eventually(t, "as many goroutines and descriptors as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= files
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func password(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

// oneRoundTrip checks over and over: one round trip each, on one connection that
// Redial replaces, and that may die while idle.
func oneRoundTrip(t *testing.T, w *wire, p interface {
	health.Checker
	health.Redialer
},
) {
	t.Helper()
	before := w.trips.Load()
	for i := range int64(5) {
		healthy(t, p)
		if trips, dials := w.trips.Load()-before, w.dials.Load(); trips != i+1 || dials != 1 {
			t.Errorf("%d checks made %d round trips on %d connections, want one each on one", i+1, trips, dials)
		}
	}
	p.Redial()
	healthy(t, p)
	healthy(t, p)
	if got := w.dials.Load(); got != 2 {
		t.Errorf("%d connections after Redial, want 2", got)
	}
	w.hangUp()
	healthy(t, p) // a connection that died while idle is no failure
}

// runCommand starts a program that is killed at the end of the test.
func runCommand(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}
