// Package relay is a detour to a server, which tests and demonstrations cut, exchange or
// delay, and in which they break the wire.
package relay

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Relay is an address on loopback behind which servers can be exchanged.
type Relay struct {
	// Requests counts the pieces that came from clients, Held the answers that are being
	// delayed. Delay is how long each piece of an answer is, a time.Duration.
	Requests, Held, Delay atomic.Int64
	// Bytes counts what went through in both directions. RoundTrips counts the changes of
	// direction, per connection, from server to client.
	Bytes, RoundTrips atomic.Int64

	port  *port
	done  chan struct{}
	group sync.WaitGroup

	mu       sync.Mutex
	listener *net.TCPListener // nil while connections are refused
	target   string           // "" accepts, and never answers
	open     map[net.Conn]bool
	fault    Fault
	begun    int           // how many faults have begun
	shut     chan struct{} // closed once connections are accepted again; nil while they are
	lost     []net.Conn    // what a fault has left open
}

// Start listens on a free port of 127.0.0.1 and leads to the target.
func Start(target string) (*Relay, error) {
	port, err := takePort()
	if err != nil {
		return nil, fmt.Errorf("start a relay to %s: %w", target, err)
	}
	r := &Relay{port: port, done: make(chan struct{}), target: target, open: map[net.Conn]bool{}}
	if err := r.listen(); err != nil {
		port.give()
		return nil, fmt.Errorf("start a relay to %s: %w", target, err)
	}
	return r, nil
}

// Close cuts all connections, stops listening and waits for what is under way.
func (r *Relay) Close() {
	close(r.done)
	r.mu.Lock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	r.end()
	r.mu.Unlock()
	r.To("")
	r.group.Wait()
	r.port.give()
}

// Addr is the address to connect to.
func (r *Relay) Addr() string { return r.port.addr }

// To leads to another server from now on, and cuts the open connections.
func (r *Relay) To(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	r.cut()
}

// HangUp cuts the open connections.
func (r *Relay) HangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut()
}

// Silence accepts and never answers from now on, not on open connections either.
func (r *Relay) Silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = ""
}

func (r *Relay) accept(listener *net.TCPListener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // closed
		}
		r.group.Go(func() { r.serve(client) })
		r.mu.Lock()
		shut := r.shut
		r.mu.Unlock()
		if shut != nil {
			<-shut
		}
	}
}

func (r *Relay) serve(client net.Conn) {
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
	var asked atomic.Bool // the last piece came from the client
	r.group.Go(func() {
		defer client.Close()
		r.copy(client, server, &r.Held, &asked)
	})
	r.copy(server, client, nil, &asked)
}

// enter registers a connection to cut, and returns the present target.
func (r *Relay) enter(conn net.Conn) string {
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

func (r *Relay) copy(to, from net.Conn, held *atomic.Int64, asked *atomic.Bool) {
	piece := make([]byte, 64<<10)
	var damage damage
	for {
		n, err := from.Read(piece)
		r.Bytes.Add(int64(n))
		if n > 0 && asked.Swap(held == nil) && held != nil {
			r.RoundTrips.Add(1)
		}
		switch {
		case err != nil:
			return
		case held == nil:
			r.Requests.Add(1)
		case r.Delay.Load() > 0:
			held.Add(1)
			r.pause(time.Duration(r.Delay.Load()))
			held.Add(-1)
		}
		if r.silent() {
			continue
		}
		if held != nil {
			if !r.answer(to, piece[:n], &damage) {
				return
			}
		} else if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

// pause lets time pass, unless the relay is closed.
func (r *Relay) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.done:
	}
}

func (r *Relay) silent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.target == ""
}
