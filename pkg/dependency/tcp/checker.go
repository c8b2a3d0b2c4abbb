package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// Options say what to connect to.
type Options struct {
	// Addr is host:port.
	Addr string
	// TLS is the configuration of the handshake, with the server's name; nil for no TLS.
	TLS *tls.Config
	// Timeout bounds one check.
	Timeout time.Duration
	// Lookup resolves the host of Addr. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks that a server can be connected to. Each check makes a connection of its own,
// since that is what it is about, and closes it at once. The latency is that of the whole
// check: name resolution, connection and handshake.
type Checker struct {
	options Options
	dialer  *dial.Dialer
}

// New returns a checker. It does not connect.
func New(o Options) *Checker {
	return &Checker{options: o, dialer: &dial.Dialer{Lookup: o.Lookup, Timeout: o.Timeout}}
}

// Close implements [dependency.Checker]. There is nothing to close.
func (*Checker) Close() error { return nil }

// Check implements [health.Checker]. After a failed handshake at one of the host's addresses,
// it tries the others.
func (c *Checker) Check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	seen := health.Observation{Values: []health.Value{health.Text("endpoint", c.options.Addr)}}
	route := c.dialer.Route()
	var told *health.Fault
	for {
		version, err := c.connect(ctx, route)
		if err == nil {
			if version != 0 {
				seen.Values = append(seen.Values, health.Text("tls_version", tls.VersionName(version)))
			}
			return seen, nil
		}
		told = dependency.MoreTelling(told, faultOf(err))
		if !route.Left() || ctx.Err() != nil {
			return seen, told
		}
	}
}

// connect returns the version of TLS, or 0 where none is asked for.
func (c *Checker) connect(ctx context.Context, route *dial.Route) (version uint16, err error) {
	conn, err := route.DialContext(ctx, "tcp", c.options.Addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if c.options.TLS == nil {
		return 0, nil
	}
	secured := tls.Client(conn, c.options.TLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		return 0, err
	}
	_ = secured.Close() // says so to the server; the check has its answer
	return secured.ConnectionState().Version, nil
}

// faultOf classifies what kept the check from a connection. A server that answers a handshake
// with something else offers no TLS.
func faultOf(err error) *health.Fault {
	fault := dependency.NetworkFault(err)
	var record tls.RecordHeaderError
	switch {
	case fault.Message != "" || fault.Reason != health.ReasonTLS:
	case errors.As(err, &record):
		fault.Message = "what listens there does not answer a TLS handshake with TLS: it may speak without, as before STARTTLS"
	default:
		fault.Message = dependency.CertificateMessage(err, "the server", "let it accept clients without one")
	}
	return fault
}
