package dial

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// attemptDelay is the time after which the next address is tried while an attempt is still
// running (section 5 of RFC 8305).
const attemptDelay = 250 * time.Millisecond

// LookupFunc returns the addresses of a host, the preferred one first.
type LookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

// Dialer makes connections. The zero value is ready to use. It is safe for concurrent use
// if its fields do not change.
type Dialer struct {
	// Lookup resolves names. The default is the system's resolver.
	Lookup LookupFunc
	// Dial connects to one address, or to a Unix socket. The default is a
	// net.Dialer's DialContext.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout bounds a dial, including name resolution. By default only the context does.
	Timeout time.Duration
}

// DialContext connects to address, which is host:port or the path of a Unix socket.
// The error of a host with several addresses is an [*Error].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.Route().DialContext(ctx, network, address)
}

func (d *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if d.Lookup != nil {
		return d.Lookup(ctx, host)
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

func (d *Dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Dial != nil {
		return d.Dial(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// resolve returns the addresses to dial for address, in the order of the attempts.
func (d *Dialer) resolve(ctx context.Context, network, address string) ([]string, error) {
	host, port, isName := splitName(network, address)
	if !isName {
		return []string{address}, nil
	}
	ips, err := d.lookup(ctx, host)
	if err == nil && len(ips) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	addresses := make([]string, 0, len(ips))
	for _, ip := range interleave(ips) {
		addresses = append(addresses, net.JoinHostPort(ip.String(), port))
	}
	return addresses, nil
}

// splitName splits host:port. It reports false if the host is empty or an IP address.
func splitName(network, address string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.HasPrefix(network, "unix") {
		return "", "", false
	}
	_, err = netip.ParseAddr(host)
	return host, port, err != nil
}

// interleave alternates between the address families, beginning with that of the first
// address (section 4 of RFC 8305), and removes duplicates.
func interleave(ips []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		i := 0
		if ip.Is4() != ips[0].Unmap().Is4() {
			i = 1
		}
		if !slices.Contains(families[i], ip) {
			families[i] = append(families[i], ip)
		}
	}
	var mixed []netip.Addr
	for i := range max(len(families[0]), len(families[1])) {
		for _, family := range families {
			if i < len(family) {
				mixed = append(mixed, family[i])
			}
		}
	}
	return mixed
}

// result is the outcome of one attempt.
type result struct {
	address string
	conn    net.Conn
	err     error
}

// race returns the first connection to one of the addresses. It starts the next attempt when
// one has failed, or after a delay. failed holds the attempts that failed before. Every
// attempt has ended when race returns.
func (d *Dialer) race(ctx context.Context, network string, addresses []string) (won result, failed []result) {
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result, len(addresses))
	running, next := 0, 0
	defer func() {
		cancel()
		for ; running > 0; running-- {
			if late := <-results; late.conn != nil {
				_ = late.conn.Close()
			}
		}
	}()
	delay := delayFor(ctx, len(addresses))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	start := func() {
		address := addresses[next]
		next++
		running++
		timer.Reset(delay)
		go func() {
			conn, err := d.dial(ctx, network, address)
			results <- result{address, conn, err}
		}()
	}
	for start(); running > 0; {
		select {
		case r := <-results:
			running--
			if r.err == nil {
				return r, failed
			}
			failed = append(failed, r)
			if next < len(addresses) && ctx.Err() == nil {
				start()
			}
		case <-timer.C:
			if next < len(addresses) {
				start()
			}
		}
	}
	return result{}, failed
}

// delayFor returns the delay between two attempts: attemptDelay, or less if the deadline
// would leave no time for the last addresses.
func delayFor(ctx context.Context, addresses int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return attemptDelay
	}
	return max(min(attemptDelay, time.Until(deadline)/time.Duration(2*addresses)), time.Millisecond)
}

// Error is the failure to connect to a host with several addresses. It unwraps to the
// attempt that got furthest: a timeout if there is one, otherwise a refused connection,
// otherwise any other error.
type Error struct {
	Attempts []error // one error per address
}

// Error returns the texts of all attempts.
func (e *Error) Error() string {
	texts := make([]string, len(e.Attempts))
	for i, err := range e.Attempts {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the attempt that got furthest.
func (e *Error) Unwrap() error {
	return slices.MaxFunc(e.Attempts, func(a, b error) int { return cmp.Compare(progress(a), progress(b)) })
}

func progress(err error) int {
	var timed net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timed) && timed.Timeout():
		return 2
	case errors.Is(err, syscall.ECONNREFUSED):
		return 1
	default:
		return 0
	}
}

func failure(failed []result) error {
	if len(failed) == 1 {
		return failed[0].err
	}
	e := &Error{Attempts: make([]error, len(failed))}
	for i, r := range failed {
		e.Attempts[i] = r.err
	}
	return e
}
