// Package idle watches connections while nothing uses them. When one becomes readable or
// is hung up, its server has ended it or is about to: PostgreSQL says so (SQLSTATE 57P01)
// before it closes, and Redis closes. The next check then need not wait for its turn.
//
// It sends nothing, consumes nothing and opens nothing. It never judges a service: a
// server may close idle connections on purpose. Where the platform cannot look at a
// socket without reading from it, nothing is watched, and only the speed is lost.
package idle

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Watch watches the idle connections of one service. A nil Watch watches nothing. It is
// safe for concurrent use.
type Watch struct {
	lost chan struct{}

	mu      sync.Mutex
	watched []*watched
}

// NewWatch returns one that watches nothing yet.
func NewWatch() *Watch { return &Watch{lost: make(chan struct{}, 1)} }

// Lost receives when a watched connection had something to say. What is told again
// before it was received is told once. A nil Watch returns nil.
func (w *Watch) Lost() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.lost
}

// Add begins to watch a connection that nothing uses, until [Watch.Stop] or until it is
// closed. One that cannot be watched is ignored.
func (w *Watch) Add(conn net.Conn) {
	if w == nil || conn == nil {
		return
	}
	socket, raw := socketOf(conn)
	if raw == nil {
		return
	}
	// A driver may have left the deadline of its last read, which would end the waiting.
	_ = socket.SetReadDeadline(time.Time{})
	one := &watched{socket: socket, done: make(chan struct{})}
	w.mu.Lock()
	w.watched = append(w.watched, one)
	w.mu.Unlock()
	go one.wait(raw, w.lost) // Stop waits for it
}

// Stop ends the watching of all connections, which can then be used, and forgets what
// they told. It waits for the watching to end, which takes no I/O.
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

// watched is one connection. Waiting holds the read lock of its descriptor, so that no
// read can begin before the waiting has ended.
type watched struct {
	socket net.Conn
	done   chan struct{}
}

func (o *watched) wait(raw syscall.RawConn, lost chan<- struct{}) {
	defer close(o.done)
	// Returns once there is something to read, the deadline of stop has passed, or the
	// connection was closed by us; the last two are errors.
	if err := raw.Read(readable); err != nil {
		return
	}
	select {
	case lost <- struct{}{}:
	default:
	}
}

// stop's errors are those of a closed connection, on which nothing waits any more.
func (o *watched) stop() {
	_ = o.socket.SetReadDeadline(time.Unix(1, 0))
	<-o.done
	_ = o.socket.SetReadDeadline(time.Time{})
}

// socketOf returns the socket below TLS and other layers, and nil where there is none.
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
