package dial

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var errNoneLeft = errors.New("every address of the host was tried")

// Route is one attempt of a client to reach a host. Each address is connected to at
// most once by DialContext, so that a client whose TLS or login failed at one
// address may call it again for the next. The methods are safe for concurrent use.
type Route struct {
	dialer *Dialer

	mu       sync.Mutex // not held while dialling
	resolved bool
	network  string
	several  bool     // the host has more than one address
	left     []string // not tried, or not ended
	failed   []result
	reached  string       // the address of the last connection
	last     *limitedConn // the last connection, if it is limited
	deadline time.Time
}

// Route returns a new route.
func (d *Dialer) Route() *Route { return &Route{dialer: d} }

// Resolve looks the addresses up, unless that was done before, and returns how many
// are left. From now on the route's time runs: the context's, or the dialer's
// Timeout.
func (r *Route) Resolve(ctx context.Context, network, address string) (left int, err error) {
	r.mu.Lock()
	resolved, left := r.resolved, len(r.left)
	r.mu.Unlock()
	if resolved {
		return left, nil
	}
	if r.dialer.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.dialer.Timeout)
		defer cancel()
	}
	start := time.Now()
	addresses, err := r.dialer.resolve(ctx, network, address)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolved, r.network, r.left, r.several = true, network, addresses, len(addresses) > 1
	if deadline, ok := ctx.Deadline(); ok {
		r.deadline = deadline
		if r.several {
			// Some time is kept back, so that what the attempts met is reported rather
			// than the end of the caller's own time.
			r.deadline = start.Add(deadline.Sub(start) * 9 / 10)
		}
	}
	return len(addresses), nil
}

// Left reports whether there is an address that DialContext could still connect to.
func (r *Route) Left() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.left) > 0
}

// DialContext connects to one of the addresses that are left. Its error tells of
// every address that could not be connected to since the route began.
//
// Where the host has several, the connection is closed, and reads of it time out,
// if the server sends nothing in half of the time that is left, or in all of it at
// the last address: a server that is frozen still accepts connections.
func (r *Route) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := r.Resolve(ctx, network, address); err != nil {
		return nil, err
	}
	r.mu.Lock()
	left, before := slices.Clone(r.left), slices.Clone(r.failed)
	r.mu.Unlock()
	switch {
	case len(left) > 0:
	case len(before) > 0:
		return nil, failure(before)
	default:
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoneLeft}
	}
	ctx, cancel := r.bound(ctx)
	defer cancel()
	won, failed := r.dialer.race(ctx, network, left)
	r.note(won, failed)
	if won.conn == nil {
		return nil, failure(append(before, failed...))
	}
	return r.limit(won.conn), nil
}

// Again connects once more to the address of the last connection, unless that was
// closed because the server sent nothing.
func (r *Route) Again(ctx context.Context) (net.Conn, error) {
	r.mu.Lock()
	network, reached, last := r.network, r.reached, r.last
	r.mu.Unlock()
	if reached == "" {
		return nil, errNoneLeft
	}
	if last != nil && last.expired.Load() {
		return nil, last.silence("dial")
	}
	ctx, cancel := r.bound(ctx)
	defer cancel()
	conn, err := r.dialer.dial(ctx, network, reached)
	if err != nil {
		return nil, err
	}
	return r.limit(conn), nil
}

// note takes out the addresses whose attempts have ended.
func (r *Route) note(won result, failed []result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached = won.address
	r.failed = append(r.failed, failed...)
	r.left = slices.DeleteFunc(r.left, func(address string) bool {
		return won.conn == nil || address == won.address ||
			slices.ContainsFunc(failed, func(f result) bool { return f.address == address })
	})
}

func (r *Route) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, r.deadline)
}

func (r *Route) limit(conn net.Conn) net.Conn {
	if !r.several || r.deadline.IsZero() {
		return conn
	}
	limit := time.Until(r.deadline)
	if r.Left() {
		limit /= 2
	}
	c := &limitedConn{Conn: conn}
	c.timer = time.AfterFunc(limit, c.expire)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = c
	return c
}

// limitedConn is closed unless the server has sent something when its timer ends.
type limitedConn struct {
	net.Conn
	timer             *time.Timer
	answered, expired atomic.Bool
}

func (c *limitedConn) expire() {
	c.expired.Store(true)
	_ = c.Conn.Close()
}

// Read implements [net.Conn].
func (c *limitedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.answered.Swap(true) {
		c.timer.Stop()
	}
	return n, c.explain("read", err)
}

// Write implements [net.Conn].
func (c *limitedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.explain("write", err)
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	c.timer.Stop()
	return c.Conn.Close()
}

// NetConn returns the connection itself, as that of crypto/tls does.
func (c *limitedConn) NetConn() net.Conn { return c.Conn }

// explain makes a timeout of the error of a connection that the timer closed.
func (c *limitedConn) explain(op string, err error) error {
	if err == nil || !c.expired.Load() {
		return err
	}
	return c.silence(op)
}

func (c *limitedConn) silence(op string) error {
	remote := c.RemoteAddr()
	return &net.OpError{Op: op, Net: remote.Network(), Addr: remote, Err: os.ErrDeadlineExceeded}
}
