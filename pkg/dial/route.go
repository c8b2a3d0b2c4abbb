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

// Route is one attempt of a client to reach a host. DialContext connects to each address
// at most once. A client whose TLS handshake or login failed calls it again for the next
// address. The methods are safe for concurrent use.
type Route struct {
	dialer *Dialer

	mu       sync.Mutex // not held while dialling
	resolved bool
	network  string
	several  bool         // the host has more than one address
	left     []string     // addresses without an attempt that has ended
	failed   []result     // attempts that failed
	reached  string       // the address of the last connection
	last     *limitedConn // the last connection, if it is limited
	deadline time.Time
}

// Route returns a new route.
func (d *Dialer) Route() *Route { return &Route{dialer: d} }

// Resolve resolves the host, unless that was done before, and returns how many addresses
// are left. The first call sets the deadline of the route, from the context and the
// dialer's Timeout.
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
			// The deadline of the route is earlier, so that the error has the attempts
			// and is not the end of the caller's context.
			r.deadline = start.Add(deadline.Sub(start) * 9 / 10)
		}
	}
	return len(addresses), nil
}

// Left reports whether an address is left for DialContext.
func (r *Route) Left() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.left) > 0
}

// DialContext connects to one of the addresses that are left. Its error has every failed
// attempt since the first call.
//
// If the host has several addresses, the server must send data in half of the remaining
// time, or in all of it at the last address. Otherwise the connection is closed and reads
// return a timeout, since a server that hangs still accepts connections.
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

// Again connects again to the address of the last connection. It fails if that was closed
// because the server sent nothing.
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

// note removes the addresses whose attempts have ended.
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

// limitedConn is closed when its timer ends, unless the server has sent data by then.
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

// NetConn returns the wrapped connection, as the method of crypto/tls's Conn does.
func (c *limitedConn) NetConn() net.Conn { return c.Conn }

// explain returns a timeout for an error after the timer has closed the connection, and
// other errors unchanged.
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
