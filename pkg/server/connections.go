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

// connections bounds the number of open connections, and never lets a new client wait for
// clients that misuse their connections: at the limit, it closes the least useful connection.
// So neither deliberately slow clients nor many idle ones can block a probe
// of the kubelet, which has a timeout of one second.
//
// The order in which connections are closed, and within a group the longest in its phase first:
//
//  1. one whose response is sent and which is about to be closed;
//  2. one that has not sent its whole request header, or not read its whole response,
//     for longer than patience: both usually take milliseconds;
//  3. an idle one: its client can connect again;
//  4. one whose request header is incomplete;
//  5. one whose request is being served.
//
// None is closed within a tenth of patience, so that new clients get a response,
// and clients that reconnect at once cost little. If none qualifies, the new client waits, and every
// connection that is served meanwhile is closed after its response.
//
// It also ends connections that take longer than the limits allow, in place of the timeouts of
// [http.Server]: those set several timers per request, which cost a tenth of the processor time of an
// response. Here, one function checks all connections, about five times per shortest limit, and only
// while there are any.
type connections struct {
	net.Listener
	limits

	began   time.Time    // the zero of the phases' times
	waiting atomic.Bool  // a new client waits for a free place
	serving atomic.Int64 // goroutines of the server; each ends shortly after its connection

	mu             sync.Mutex
	open           map[*connection]struct{}
	checkScheduled bool          // endOverdue is scheduled
	freed          chan struct{} // has an element after a connection was closed
	closed         chan struct{}
	once           sync.Once
}

// The phases of a connection.
const (
	phaseReading   = iota // since the start, or since the first byte of a further request
	phaseAnswering        // since the end of a request's header
	phaseIdle             // since the end of a response
	phaseClosing          // since the end of a response, where no further request is read
)

// connection is one client.
type connection struct {
	net.Conn
	all     *connections
	phase   atomic.Int64 // the phase in the lowest two bits, and its start in nanoseconds above them
	reading atomic.Bool  // blocked in Read; if false, bytes may have arrived that are not parsed yet
	once    sync.Once
	err     error // of Close
}

func newConnections(l net.Listener, limits limits) *connections {
	return &connections{
		Listener: l, limits: limits, began: time.Now(),
		open: map[*connection]struct{}{}, freed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept returns the next client when there is a free place for it.
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

// Close stops listening. Open connections stay open.
func (l *connections) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// wait returns after a connection was closed, or after a short time in which one may have become closable.
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

// admit adds a client. At the limit it closes another connection for it. It reports
// whether the client was added.
func (l *connections) admit(c *connection) bool {
	if l.serving.Load() >= 2*int64(l.connections) {
		return false
	}
	c.enter(phaseReading)
	l.mu.Lock()
	l.scheduleCheck()
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

// leastUseful returns the connection to close, or nil.
func (l *connections) leastUseful(now time.Duration) (least *connection) {
	var worst int
	var longest time.Duration
	for c := range l.open {
		phase, since := c.now()
		age := now - since
		var use int // greater means less useful
		switch {
		case age < l.patience/10:
			continue
		case phase == phaseClosing:
			use = 4
		case phase != phaseAnswering && !c.reading.Load():
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

// scheduleCheck schedules endOverdue, unless it is scheduled. The caller holds the lock.
func (l *connections) scheduleCheck() {
	if !l.checkScheduled {
		l.checkScheduled = true
		time.AfterFunc(min(l.readHeader, l.write, l.idle)/5, l.endOverdue) // not scheduled again after the last connection
	}
}

// endOverdue closes the connections that exceed the limits.
func (l *connections) endOverdue() {
	l.mu.Lock()
	now := time.Since(l.began)
	var overdue []*connection
	for c := range l.open {
		phase, since := c.now()
		if now-since > [...]time.Duration{phaseReading: l.readHeader, phaseAnswering: l.write, phaseIdle: l.idle, phaseClosing: l.readHeader}[phase] {
			overdue = append(overdue, c)
		}
	}
	l.checkScheduled = false
	if len(l.open) > len(overdue) {
		l.scheduleCheck()
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
	c.reading.Store(true)
	n, err := c.Conn.Read(b)
	c.reading.Store(false)
	if phase, _ := c.now(); phase == phaseIdle && n > 0 {
		c.enter(phaseReading)
	}
	return n, err
}

// CloseWrite closes the sending side. The server calls it while the client may still be sending, and then
// waits for half a second.
func (c *connection) CloseWrite() error {
	c.enter(phaseClosing)
	if client, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return client.CloseWrite()
	}
	return nil
}

// Close closes the connection, and frees its place.
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

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connectionOf(c))
}

// connectionOf returns the connection below TLS, or nil if this package did not make it.
func connectionOf(c net.Conn) *connection {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	own, _ := c.(*connection)
	return own
}

// trackState records the state of a connection.
func trackState(c net.Conn, state http.ConnState) {
	own := connectionOf(c)
	switch {
	case own == nil:
	case state == http.StateIdle:
		own.enter(phaseIdle)
	case state == http.StateClosed:
		own.all.serving.Add(-1)
	}
}

// trackRequests marks the connections of requests whose header is complete. A connection with a
// body is closed after the response: the handlers do not read it, and the server would wait
// for the rest of it before it responds.
func trackRequests(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connectionKey{}).(*connection)
		if c == nil {
			h.ServeHTTP(w, r)
			return
		}
		c.enter(phaseAnswering)
		last := r.ContentLength != 0 || c.all.waiting.Load()
		if last {
			w.Header()["Connection"] = closeHeader
		}
		h.ServeHTTP(w, r)
		if last {
			c.enter(phaseClosing)
		}
	})
}

var closeHeader = []string{"close"}
