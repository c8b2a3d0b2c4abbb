package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connections bounds how many clients are connected at once, and has no new one wait for
// those that use their connection badly: where the limit is reached, the least useful
// connection is closed. So neither clients that are slow on purpose nor a crowd that stays
// connected keeps a probe of the kubelet waiting, which has a second for its answer.
//
// Which one is closed, the longest in its phase first:
//
//  1. one that has not sent the whole header of its request, or not taken the whole answer,
//     for longer than patience: both take milliseconds;
//  2. one that is idle: its client connects again;
//  3. one of which more of the header is waited for;
//  4. one that is being answered.
//
// None is closed within a tenth of patience, so that those who have just come are answered,
// and clients that come again at once cost little. Until there is one to close, a new client waits.
type connections struct {
	net.Listener
	limit    int
	patience time.Duration

	began time.Time // from which phases are counted

	mu     sync.Mutex
	open   map[*connection]struct{}
	freed  chan struct{} // has an item once one was closed
	closed chan struct{}
	once   sync.Once
}

// The phases of a connection.
const (
	phaseReading   = iota // from its start, or from the first byte of a further request
	phaseAnswering        // from the end of a request's header
	phaseIdle             // from the end of an answer
)

// connection is one client.
type connection struct {
	net.Conn
	all   *connections
	phase atomic.Int64 // two bits of the phase, and above them since when, in nanoseconds
	waits atomic.Bool  // for something to read; else it may have a request that was not looked at yet
	once  sync.Once
	err   error // of Close
}

func newConnections(l net.Listener, limit int, patience time.Duration) *connections {
	return &connections{
		Listener: l, limit: limit, patience: patience, began: time.Now(),
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
	c.enter(phaseReading)
	for !l.admit(c) {
		if err := l.wait(); err != nil {
			_ = client.Close()
			return nil, err
		}
	}
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
	l.mu.Lock()
	if len(l.open) < l.limit {
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
		case phase == phaseIdle:
			use = 2
		case age > l.patience:
			use = 3
		case phase == phaseReading && c.waits.Load():
			use = 1
		case phase == phaseReading:
			continue
		}
		if least == nil || use > worst || use == worst && age > longest {
			least, worst, longest = c, use, age
		}
	}
	return least
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
	return n, err
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
	return context.WithValue(ctx, connectionKey{}, c)
}

// follow has the connection in the phase that the server tells.
func follow(c net.Conn, state http.ConnState) {
	ours, ok := c.(*connection)
	switch {
	case !ok:
	case state == http.StateActive:
		ours.enter(phaseReading)
	case state == http.StateIdle:
		ours.enter(phaseIdle)
	}
}

// answering marks the connections of requests whose header is complete. A connection with a
// body is of no more use after its answer: the handlers read none, and the server would wait
// for the rest of it before it answers.
func answering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connectionKey{}).(*connection)
		if !ok {
			h.ServeHTTP(w, r)
			return
		}
		c.enter(phaseAnswering)
		if r.ContentLength != 0 {
			w.Header()["Connection"] = closing
		}
		h.ServeHTTP(w, r)
		if r.ContentLength != 0 {
			c.enter(phaseIdle)
		}
	})
}

var closing = []string{"close"}
