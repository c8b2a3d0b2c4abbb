package e2e_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// relay is an address on loopback behind which servers can be exchanged. What
// waits at it is counted: requests are the pieces that came from clients, held
// the answers that are being delayed.
type relay struct {
	listener net.Listener
	done     chan struct{}
	group    sync.WaitGroup
	requests atomic.Int64
	held     atomic.Int64
	delay    atomic.Int64 // of each piece of an answer, a time.Duration

	mu     sync.Mutex
	target string // "" accepts, and never answers
	open   map[net.Conn]bool
}

func startRelay(t testing.TB, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, done: make(chan struct{}), target: target, open: map[net.Conn]bool{}}
	r.group.Go(r.accept)
	t.Cleanup(func() {
		close(r.done)
		_ = listener.Close()
		r.to("")
		r.group.Wait()
	})
	return r
}

func (r *relay) addr() string { return r.listener.Addr().String() }

// to leads to another server from now on, and cuts the open connections.
func (r *relay) to(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	for conn := range r.open {
		_ = conn.Close()
	}
	clear(r.open)
}

// silence accepts and never answers from now on, not on open connections either.
func (r *relay) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = ""
}

func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.group.Go(func() { r.serve(client) })
	}
}

func (r *relay) serve(client net.Conn) {
	defer client.Close()
	target := r.enter(client)
	if target == "" {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if r.enter(server) != target {
		return // exchanged meanwhile
	}
	r.group.Go(func() {
		defer client.Close()
		r.copy(client, server, &r.held)
	})
	r.copy(server, client, nil)
}

// enter registers a connection to cut, and returns the present target.
func (r *relay) enter(conn net.Conn) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[conn] = true
	select {
	case <-r.done:
		_ = conn.Close()
	default:
	}
	return r.target
}

func (r *relay) copy(to, from net.Conn, held *atomic.Int64) {
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		switch {
		case err != nil:
			return
		case held == nil:
			r.requests.Add(1)
		case r.delay.Load() > 0:
			held.Add(1)
			select {
			case <-time.After(time.Duration(r.delay.Load())):
			case <-r.done:
			}
			held.Add(-1)
		}
		if r.silent() {
			continue
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

func (r *relay) silent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target == ""
}
