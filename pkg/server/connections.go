package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connections bounds how many clients are connected at once, and never lets a new client wait for
// clients that misuse their connections: where the limit is reached, the least useful connection is
// closed. So neither clients that are slow on purpose nor a crowd that stays connected keeps a probe
// of the kubelet waiting, which has a second for its answer.
//
// Which one is closed, the longest in its phase first:
//
//  1. one that was answered and is about to be closed;
//  2. one that has not sent the whole header of its request, or not taken the whole answer,
//     for longer than patience: both take milliseconds;
//  3. one that is idle: its client connects again;
//  4. one of which more of the header is waited for;
//  5. one that is being answered.
//
// None is closed within a tenth of patience, so that those who have just come are answered,
// and clients that come again at once cost little. If none qualifies, the new client waits, and every
// connection that is answered meanwhile is closed after its answer.
//
// It also ends connections that take longer than the limits allow, in place of the timeouts of
// [http.Server]: those set several timers per request, which cost a tenth of the processor time of an
// answer. Here, all connections are looked at together, about once in a fifth of the shortest limit, and only
// while there are some.
type connections struct {
	net.Listener
	limits

	began   time.Time    // from which phases are counted
	waiting atomic.Bool  // a new client waits for room
	serving atomic.Int64 // goroutines of the server, which end a moment after their connection

	mu     sync.Mutex
	open   map[*connection]struct{}
	due    bool          // endOverdue is going to run
	freed  chan struct{} // has an item once one was closed
	closed chan struct{}
	once   sync.Once
}

// The phases of a connection.
const (
	phaseReading   = iota // from its start, or from the first byte of a further request
	phaseAnswering        // from the end of a request's header
	phaseIdle             // from the end of an answer
	phaseOver             // from the end of an answer, where no further request is read
)

// connection is one client.
type connection struct {
	net.Conn
	all   *connections
	phase atomic.Int64 // two bits of the phase, and above them since when, in nanoseconds
	waits atomic.Bool  // for something to read; false: bytes may have arrived that are not parsed yet
	once  sync.Once
	err   error // of Close
}

func newConnections(l net.Listener, limits limits) *connections {
	return &connections{
		Listener: l, limits: limits, began: time.Now(),
		open: map[*connection]struct{}{}, freed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept returns the next client, once there is room for it.
func (l *connections) Accept() (net.Conn, error) {
	client, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: client, all: l}
	for !l.admit(c) {
		l.waiting.Store(true)
		if err := l.wait(); err != nil {
			_ = client.Close()
			return nil, err
		}
	}
	l.waiting.Store(false)
	l.serving.Add(1)
	return c, nil
}

// Close stops listening. Clients stay connected.
func (l *connections) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// wait returns when a connection was closed, or when some may be by now.
func (l *connections) wait() error {
	timer := time.NewTimer(min(l.patience/100, 10*time.Millisecond))
	defer timer.Stop()
	select {
	case <-l.freed:
	case <-timer.C:
	case <-l.closed:
		return net.ErrClosed
	}
	return nil
}

// admit adds a client, in the place of another one where the limit is reached. It reports
// whether there is room.
func (l *connections) admit(c *connection) bool {
	if l.serving.Load() >= 2*int64(l.connections) {
		return false
	}
	c.enter(phaseReading)
	l.mu.Lock()
	l.watch()
	if len(l.open) < l.connections {
		l.open[c] = struct{}{}
		l.mu.Unlock()
		return true
	}
	least := l.leastUseful(time.Since(l.began))
	if least != nil {
		delete(l.open, least)
		l.open[c] = struct{}{}
	}
	l.mu.Unlock()
	if least == nil {
		return false
	}
	_ = least.Close()
	return true
}

// leastUseful returns the connection to close; nil where there is none.
func (l *connections) leastUseful(now time.Duration) (least *connection) {
	var worst int
	var longest time.Duration
	for c := range l.open {
		phase, since := c.now()
		age := now - since
		var use int // the greater, the less useful
		switch {
		case age < l.patience/10:
			continue
		case phase == phaseOver:
			use = 4
		case phase != phaseAnswering && !c.waits.Load():
			continue
		case phase == phaseIdle:
			use = 2
		case age > l.patience:
			use = 3
		case phase == phaseReading:
			use = 1
		}
		if least == nil || use > worst || use == worst && age > longest {
			least, worst, longest = c, use, age
		}
	}
	return least
}

// watch has endOverdue run once more, unless it is going to. The caller holds the lock.
func (l *connections) watch() {
	if !l.due {
		l.due = true
		time.AfterFunc(min(l.readHeader, l.write, l.idle)/5, l.endOverdue) // ends with the last connection
	}
}

// endOverdue closes the connections that take longer than the limits allow.
func (l *connections) endOverdue() {
	l.mu.Lock()
	now := time.Since(l.began)
	var overdue []*connection
	for c := range l.open {
		phase, since := c.now()
		if now-since > [...]time.Duration{phaseReading: l.readHeader, phaseAnswering: l.write, phaseIdle: l.idle, phaseOver: l.readHeader}[phase] {
			overdue = append(overdue, c)
		}
	}
	l.due = false
	if len(l.open) > len(overdue) {
		l.watch()
	}
	l.mu.Unlock()
	for _, c := range overdue {
		_ = c.Close()
	}
}

func (c *connection) enter(phase int64) { c.phase.Store(int64(time.Since(c.all.began))<<2 | phase) }

func (c *connection) now() (phase int64, since time.Duration) {
	word := c.phase.Load()
	return word & 3, time.Duration(word >> 2)
}

func (c *connection) Read(b []byte) (int, error) {
	c.waits.Store(true)
	n, err := c.Conn.Read(b)
	c.waits.Store(false)
	if phase, _ := c.now(); phase == phaseIdle && n > 0 {
		c.enter(phaseReading)
	}
	return n, err
}

// CloseWrite ends the answers. The server calls it where the client may still be sending, and then
// waits for half a second.
func (c *connection) CloseWrite() error {
	c.enter(phaseOver)
	if client, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return client.CloseWrite()
	}
	return nil
}

// Close ends the connection and makes room for another.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.all.mu.Lock()
		delete(c.all.open, c)
		c.all.mu.Unlock()
		select {
		case c.all.freed <- struct{}{}:
		default:
		}
		c.err = c.Conn.Close()
	})
	return c.err
}

// connectionKey is that of a request's connection in its context.
type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, ours(c))
}

// ours returns the connection below TLS; nil where it is none of ours.
func ours(c net.Conn) *connection {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	own, _ := c.(*connection)
	return own
}

// follow records what the server tells of a connection.
func follow(c net.Conn, state http.ConnState) {
	own := ours(c)
	switch {
	case own == nil:
	case state == http.StateIdle:
		own.enter(phaseIdle)
	case state == http.StateClosed:
		own.all.serving.Add(-1)
	}
}

// answering marks the connections of requests whose header is complete. A connection with a
// body is of no more use after its answer: the handlers read none, and the server would wait
// for the rest of it before it answers.
func answering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		if c == nil {
			h.ServeHTTP(w, r)
			return
		}
		c.enter(phaseAnswering)
		last := r.ContentLength != 0 || c.all.waiting.Load()
		if last {
			w.Header()["Connection"] = closing
		}
		h.ServeHTTP(w, r)
		if last {
			c.enter(phaseOver)
		}
	})
}

var closing = []string{"close"}
