package servers

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Switch is one address in front of a server that can be changed under way, as a
// virtual address is when a standby takes over. It forwards TCP and understands
// nothing of it. Its methods may be called concurrently.
type Switch struct {
	listener net.Listener
	wait     sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target string
	open   map[net.Conn]bool
	closed bool
}

// NewSwitch starts a switch that leads to target, a host:port.
func NewSwitch(target string) (*Switch, error) {
	listener, err := net.Listen("tcp", address(loopback, 0))
	if err != nil {
		return nil, err
	}
	s := &Switch{listener: listener, target: target, open: map[net.Conn]bool{}}
	s.wait.Go(s.serve)
	return s, nil
}

// RunSwitch starts a switch and ends it with the test.
func RunSwitch(tb testing.TB, target string) *Switch {
	tb.Helper()
	s, err := NewSwitch(target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Host returns 127.0.0.1.
func (s *Switch) Host() string { return loopback }

// Port returns the switch's own TCP port.
func (s *Switch) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Addr returns the switch's own host:port.
func (s *Switch) Addr() string { return s.listener.Addr().String() }

// Point leads new connections to another target. Those that are open stay with
// the target they have, as long as that lives.
func (s *Switch) Point(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
}

// Cut closes all open connections.
func (s *Switch) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close() // its forwarder sees it
	}
}

func (s *Switch) serve() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.wait.Go(func() { s.forward(client) })
	}
}

// forward ends both connections as soon as one side has ended.
func (s *Switch) forward(client net.Conn) {
	defer s.track(client)()
	s.mu.Lock()
	target := s.target
	s.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return // and so is the client's
	}
	defer s.track(server)()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(client, server) // how a connection ends is its users' affair
		_ = client.Close()
	}()
	_, _ = io.Copy(server, client)
	_ = server.Close()
	<-back
}

// track notes an open connection until done, which closes it.
func (s *Switch) track(conn net.Conn) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	if s.closed {
		_ = conn.Close()
	}
	return func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
	}
}

// Close ends the switch and all its connections.
func (s *Switch) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Cut()
	s.wait.Wait()
}
