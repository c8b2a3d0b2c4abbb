// Package idle watches connections while they are not used. If one becomes readable or is
// closed, its server has ended it or will do so: PostgreSQL sends an error (SQLSTATE 57P01)
// before it closes, and Redis closes. pkg/health then brings the next check forward. The
// checkers of PostgreSQL and Redis add their connections after each check.
//
// It never sends, reads or opens anything, and never judges a service: a server may close
// idle connections on purpose. On platforms that cannot peek at a socket nothing is
// watched; lost connections are then found by the next regular check.
package idle

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Watch watches the idle connections of one service. A nil Watch does nothing. It is safe
// for concurrent use.
type Watch struct {
	lost chan struct{}

	mu      sync.Mutex
	watched []*watched
}

// NewWatch returns a Watch without connections.
func NewWatch() *Watch { return &Watch{lost: make(chan struct{}, 1)} }

// Lost returns a channel that receives a value when a watched connection became readable or
// was closed. It holds at most one value. A nil Watch returns nil.
func (w *Watch) Lost() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.lost
}

// Add watches an idle connection until [Watch.Stop] or until it is closed. A connection that
// cannot be watched is ignored.
func (w *Watch) Add(conn net.Conn) {
	if w == nil || conn == nil {
		return
	}
	socket, raw := socketOf(conn)
	if raw == nil {
		return
	}
	// The deadline of the driver's last read would end the waiting.
	_ = socket.SetReadDeadline(time.Time{})
	one := &watched{socket: socket, done: make(chan struct{})}
	w.mu.Lock()
	w.watched = append(w.watched, one)
	w.mu.Unlock()
	go one.wait(raw, w.lost) // Stop waits for it
}

// Stop stops watching all connections, so that they can be used, and removes a value from
// [Watch.Lost]. It waits until the watching goroutines have ended, without I/O.
func (w *Watch) Stop() {
	if w == nil {
		return
	}
	w.mu.Lock()
	all := w.watched
	w.watched = nil
	w.mu.Unlock()
	for _, one := range all {
		one.stop()
	}
	select {
	case <-w.lost:
	default:
	}
}

// watched is one connection. While it waits, it holds the read lock of the descriptor, so a
// read cannot start before the waiting has ended.
type watched struct {
	socket net.Conn
	done   chan struct{}
}

func (o *watched) wait(raw syscall.RawConn, lost chan<- struct{}) {
	defer close(o.done)
	// Read returns nil if the connection is readable. After the deadline that stop sets, or
	// after we closed the connection, it returns an error.
	if err := raw.Read(readable); err != nil {
		return
	}
	select {
	case lost <- struct{}{}:
	default:
	}
}

// stop ends the waiting. Setting a deadline fails only on a closed connection, on which
// nothing waits.
func (o *watched) stop() {
	_ = o.socket.SetReadDeadline(time.Unix(1, 0))
	<-o.done
	_ = o.socket.SetReadDeadline(time.Time{})
}

// socketOf returns the socket below TLS and other layers, or nil if there is none.
func socketOf(conn net.Conn) (net.Conn, syscall.RawConn) {
	if !supported {
		return nil, nil
	}
	for {
		layer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = layer.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil, nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, nil
	}
	return conn, raw
}
