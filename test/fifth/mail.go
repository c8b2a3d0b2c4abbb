// Package fifth is the worked example of docs/adding-a-service.md: a fifth service,
// a mail server, in this one file.
package fifth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"syscall"

	"github.com/reims/reims-health/pkg/health"
)

// Mail checks an SMTP server by its greeting.
type Mail struct {
	// Addr is host:port.
	Addr string
}

// Check dials, reads the greeting (RFC 5321, 3.1) and says goodbye.
func (m *Mail) Check(ctx context.Context) (health.Observation, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.Addr)
	if err != nil {
		return health.Observation{}, mailFault(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a read ends with ctx
	smtp := textproto.NewConn(conn)
	_, greeting, err := smtp.ReadResponse(220)
	if err != nil {
		return health.Observation{}, mailFault(errors.Join(ctx.Err(), err))
	}
	return health.Observation{Values: []health.Value{health.Text("greeting", greeting)}},
		smtp.PrintfLine("QUIT")
}

// mailFault says what an error means. A reason is needed for what a reader would
// treat differently; for the rest there is health.ReasonError.
func mailFault(err error) error {
	var reply *textproto.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &health.Fault{Reason: health.ReasonTimeout, Err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &health.Fault{Reason: health.ReasonRefused, Err: err}
	case errors.Is(err, io.EOF):
		return &health.Fault{Reason: health.ReasonReset, Err: err}
	case errors.As(err, &reply) && reply.Code == 421:
		return &health.Fault{Reason: health.ReasonOverloaded, Message: "the mail server accepts no more sessions", Err: err}
	case errors.As(err, &reply):
		return &health.Fault{Reason: health.ReasonProtocol, Err: err}
	default:
		return &health.Fault{Reason: health.ReasonError, Err: err}
	}
}
