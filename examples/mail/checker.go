package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxReply is the largest number of bytes that one check reads.
const maxReply = 64 << 10

// Options say what to check.
type Options struct {
	// Addr is host:port.
	Addr string
	// TLS is the configuration of the handshake, with the server's name; nil for no TLS.
	TLS *tls.Config
	// Timeout bounds one check.
	Timeout time.Duration
}

// Checker checks an SMTP server by its greeting and its answer to EHLO. Each check opens
// a connection of its own.
type Checker struct {
	options Options
	dialer  *dial.Dialer
}

// New returns a checker. It does not connect.
func New(o Options) *Checker {
	return &Checker{options: o, dialer: &dial.Dialer{Timeout: o.Timeout}}
}

// Close implements [dependency.Checker]. There is nothing to close.
func (*Checker) Close() error { return nil }

// Check implements [health.Checker].
func (c *Checker) Check(ctx context.Context) (health.Observation, error) {
	values, err := c.ask(ctx)
	if err != nil {
		return health.Observation{Values: values}, fault(err)
	}
	return health.Observation{Values: values}, nil
}

func (c *Checker) ask(ctx context.Context) ([]health.Value, error) {
	conn, err := c.dialer.DialContext(ctx, "tcp", c.options.Addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	// Reads and writes fail once ctx is done.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if c.options.TLS != nil {
		secured := tls.Client(conn, c.options.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secured
	}
	smtp := textproto.NewConn(struct {
		io.Reader
		io.WriteCloser
	}{io.LimitReader(conn, maxReply), conn})
	return converse(smtp)
}

// converse reads the greeting and asks what the server can do (RFC 5321, 3.1 and 3.2).
func converse(smtp *textproto.Conn) ([]health.Value, error) {
	_, text, err := smtp.ReadResponse(220)
	if err != nil {
		return nil, err
	}
	greeting, _, _ := strings.Cut(text, "\n")
	values := []health.Value{health.Text("greeting", greeting)}
	if err := smtp.PrintfLine("EHLO localhost"); err != nil {
		return values, err
	}
	_, text, err = smtp.ReadResponse(250)
	if err != nil {
		return values, err
	}
	for line := range strings.Lines(text) {
		size, announced := strings.CutPrefix(strings.TrimSpace(line), "SIZE ") // RFC 1870
		if n, err := strconv.ParseInt(size, 10, 64); announced && err == nil {
			values = append(values, health.Bytes("message_max", n))
		}
	}
	_ = smtp.PrintfLine("QUIT") // the server has answered: this changes no verdict
	return values, nil
}

// fault gives an error its reason: one of this kind, one that every kind shares, or that
// of the network.
func fault(err error) error {
	var (
		reply  *textproto.Error
		syntax textproto.ProtocolError
	)
	switch {
	case errors.As(err, &reply) && reply.Code == 421:
		return &health.Fault{Reason: health.ReasonOverloaded, Err: err}
	case errors.As(err, &reply) && reply.Code == 554:
		return &health.Fault{Reason: ReasonNoMailService, Err: err}
	case errors.As(err, &reply), errors.As(err, &syntax):
		return &health.Fault{Reason: health.ReasonProtocol, Err: err}
	default:
		return dependency.NetworkFault(err)
	}
}
