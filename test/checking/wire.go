package checking

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
)

// Wire is a proxy on loopback that counts what passes between a probe and its
// server.
type Wire struct {
	listener net.Listener
	target   string
	Dials    atomic.Int64 // connections from the probe
	Trips    atomic.Int64 // requests that came after an answer, or first
	work     sync.WaitGroup

	mu   sync.Mutex
	open []net.Conn
}

// NewWire starts a proxy to the target, host:port, which ends with the test.
func NewWire(t *testing.T, target string) *Wire {
	t.Helper()
	w := &Wire{listener: Listen(t), target: target}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		_ = w.listener.Close()
		w.HangUp()
		w.work.Wait()
	})
	return w
}

// Addr returns the host:port that the probe connects to.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.Dials.Add(1)
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
					w.Trips.Add(1)
				}
			})
		})
		w.work.Go(func() { w.copy(client, server, func() { answered.Store(true) }) })
	}
}

func (w *Wire) copy(to, from net.Conn, seen func()) {
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

// HangUp closes the connections that are open, as a server does that restarts.
func (w *Wire) HangUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

// Answering listens on loopback and lets serve speak on each connection.
func Answering(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l := Listen(t)
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

// Saying answers whatever is asked with text, and then waits for the other side
// to go away.
func Saying(text string) func(net.Conn) {
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

// Listen listens on a free port of loopback. The caller closes it.
func Listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Drain reads all that comes and answers nothing.
func Drain(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// Flood writes text until the other side has gone away.
func Flood(c net.Conn, text string) {
	for {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// ServeTLS has the certificate of a test server of net/http, which nobody trusts.
func ServeTLS(t *testing.T) func(net.Conn) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	return func(c net.Conn) { Drain(tls.Server(c, s.TLS)) }
}

// RunCommand starts a program that is killed at the end of the test.
func RunCommand(t *testing.T, name string, args ...string) {
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
