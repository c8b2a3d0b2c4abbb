package postgres

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// acquireFault classifies what kept the pool from handing out a connection.
func (p *Checker) acquireFault(err error) *health.Fault {
	var (
		dial  *pgconn.ConnectError
		coded interface{ SQLState() string }
		files interface{ TLSProblem() string }
	)
	switch {
	case errors.As(err, &dial):
		return p.dialFault(err)
	case errors.As(err, &coded) && strings.HasPrefix(coded.SQLState(), classAuth):
		// Nothing was dialled, so it is the pool's own: it asks for the password first.
		return &health.Fault{Reason: health.ReasonAuth, Err: err, Message: "the password can't be read: " +
			"check {PASSWORD_FILE} and the Secret that is mounted there"}
	case errors.As(err, &files) && files.TLSProblem() != "":
		return &health.Fault{Reason: health.ReasonTLS, Err: err, Message: tlsProblem(files.TLSProblem())}
	case errors.Is(err, context.DeadlineExceeded):
		return p.waitFault(err)
	default:
		return dependency.NetworkFault(err)
	}
}

// tlsProblem names the variables instead of the pool's fields.
func tlsProblem(problem string) string {
	return strings.NewReplacer("SSLRootCert", "{SSLROOTCERT}", "SSLCert", "{SSLCERT}", "SSLKey", "{SSLKEY}").Replace(problem)
}

// waitFault tells why the deadline passed before there was a connection.
func (p *Checker) waitFault(err error) *health.Fault {
	switch {
	case p.exhausted():
		return &health.Fault{Reason: health.ReasonPoolExhausted, Err: err}
	case len(p.stillClosing()) > 0:
		return &health.Fault{Reason: health.ReasonTimeout, Err: err, Message: "the server does not answer, and connections " +
			"of earlier checks wait for it to close them"}
	default:
		return &health.Fault{Reason: health.ReasonTimeout, Err: err, Message: "no connection within the probe's timeout: " +
			"look at the network and at the server's load"}
	}
}

// statementFault classifies the failure of the statement on an open connection.
func statementFault(err error) *health.Fault {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		return serverFault(server, err, "the server refused the check's statement; its log says more")
	}
	reason := orProtocol(dependency.NetworkReason(err), err)
	if reason == health.ReasonTimeout {
		return &health.Fault{Reason: reason, Err: err, Message: "connected, but the statement was not answered " +
			"within the probe's timeout: look at the server's load, disk and locks"}
	}
	return &health.Fault{Reason: reason, Err: err}
}

// dialFault classifies attempts to connect: one for each address of the host, and
// with sslmode=prefer two for each. What the server itself said counts most; else
// the attempt that got furthest.
func (p *Checker) dialFault(err error) *health.Fault {
	var refusal *health.Fault
	told := make(map[health.Reason]string) // more than the reason alone says
	reason := health.ReasonError
	for _, attempt := range attempts(err) {
		if server, ok := errors.AsType[*pgconn.PgError](attempt); ok {
			if !refusesParameter(server) {
				return loginFault(server, err)
			}
			refusal = loginFault(server, err)
			continue
		}
		r, words := dialReason(attempt), certificateAlert(attempt)
		if fault, ok := errors.AsType[*health.Fault](attempt); ok {
			r, words = fault.Reason, fault.Message
		}
		told[r] = cmp.Or(told[r], words)
		// Where clear is allowed, the attempt in clear that follows is the one to judge.
		if p.tls || r != health.ReasonTLS {
			reason = slices.MaxFunc([]health.Reason{reason, r}, dependency.Further)
		}
	}
	if reason == health.ReasonError && refusal != nil {
		return refusal
	}
	return &health.Fault{Reason: reason, Err: err, Message: cmp.Or(told[reason], dialMessages[reason])}
}

// refusesParameter reports whether a pooler refused a startup parameter, which
// the attempt after it leaves out.
func refusesParameter(server *pgconn.PgError) bool {
	return server.Code == codeProtocol && strings.Contains(server.Message, "startup parameter") ||
		vague(server.Code) && strings.Contains(server.Message, "doesn't support the option") // RDS Proxy
}

var dialMessages = map[health.Reason]string{
	health.ReasonDNS:      "the host name could not be resolved: check {HOST}",
	health.ReasonRefused:  "the connection was refused: nothing listens at {HOST} and {PORT}",
	health.ReasonTimeout:  "no connection within the probe's timeout: look at the network, firewalls and the server's load",
	health.ReasonTLS:      "TLS is required and could not be set up: the server does not offer it, or its certificate does not pass; check {SSLMODE} and {SSLROOTCERT}",
	health.ReasonProtocol: "what listens at {HOST} and {PORT} does not speak PostgreSQL's protocol",
}

// requiresTLS reports whether no attempt goes in clear.
func requiresTLS(c *pgx.ConnConfig) bool {
	clear := func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil }
	return c.TLSConfig != nil && !slices.ContainsFunc(c.Fallbacks, clear)
}

// attempts splits a joined error; any other is one attempt.
func attempts(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// dialReason classifies one attempt. The driver has no type for a server that
// refuses TLS and crypto/tls none for an alert, but the driver names the step.
func dialReason(err error) health.Reason {
	reason := dependency.NetworkReason(err)
	if reason == health.ReasonError && (strings.Contains(err.Error(), "tls error: ") || isAlert(err)) {
		return health.ReasonTLS
	}
	return orProtocol(reason, err)
}

// isAlert reports whether the server ended the handshake with an alert, as it
// does after it when it wants a client certificate.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// certificateAlert returns words for a handshake that the server ended because of our
// client certificate, or else "". crypto/tls has no type for an alert, but tells it by
// the text of RFC 8446.
func certificateAlert(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return ""
	}
	const refused = "the server refused the client certificate in {SSLCERT}"
	switch op.Err.Error() {
	case "tls: unknown certificate authority":
		return refused + ": no authority that the server trusts signed it, see its ssl_ca_file"
	case "tls: expired certificate":
		return refused + ": it has expired, or is not valid yet"
	case "tls: revoked certificate":
		return refused + ": it was revoked"
	case "tls: bad certificate", "tls: unsupported certificate", "tls: unknown certificate":
		return refused + ": its log says why"
	case "tls: certificate required":
		return "the server wants a client certificate: check {SSLCERT} and {SSLKEY}"
	default:
		return ""
	}
}

// orProtocol calls an error protocol that came neither from the network nor from
// the deadline nor from the server: the driver could not make sense of an answer.
func orProtocol(reason health.Reason, err error) health.Reason {
	var (
		op    *net.OpError
		errno syscall.Errno
	)
	if reason != health.ReasonError || errors.As(err, &op) || errors.As(err, &errno) || errors.Is(err, context.Canceled) {
		return reason
	}
	return health.ReasonProtocol
}
