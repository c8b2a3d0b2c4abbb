package database

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The classes of errors, for errors.Is. Every error of this package matches
// ErrDatabase; most match one of the others too.
var (
	ErrDatabase       = errors.New("database error")
	ErrConnection     = errors.New("no connection to the database")
	ErrQuery          = errors.New("query failed")
	ErrNotInitialised = errors.New("pool not initialised")
)

// Error is the error of this package, always as a pointer. It matches [ErrDatabase], in most
// cases one of the other classes, and unwraps to the driver's error, so that
// errors.Is(err, pgx.ErrNoRows) and errors.As to a *pgconn.PgError work.
//
// Its own text holds neither arguments nor passwords. The texts of the errors that it
// wraps can hold them: do not show those.
type Error struct {
	Op   string // the operation and its object
	Code string // SQLSTATE; empty if the server sent none
	Err  error  // the cause

	kind error // one of the classes, or nil
}

// Error returns the operation and the cause.
func (e *Error) Error() string { return e.Op + ": " + describe(e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches [ErrDatabase] and the class of the error.
func (e *Error) Is(target error) bool { return target == ErrDatabase || target == e.kind }

// SQLState returns the SQLSTATE, as a *pgconn.PgError does.
func (e *Error) SQLState() string { return e.Code }

// Timeout reports whether a timeout, of the client or of the server, was the cause.
func (e *Error) Timeout() bool {
	return errors.Is(e.Err, context.DeadlineExceeded) || e.Code == "57014"
}

func newError(op string, kind, err error) *Error {
	e := &Error{Op: op, Err: err, kind: kind}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.Code = server.Code
	}
	return e
}

// wrap returns an *Error for an error of pgx. An *Error is returned unchanged.
func wrap(op string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	if isConnection(err) {
		return newError(op, ErrConnection, err)
	}
	return newError(op, ErrQuery, err)
}

// isConnection reports whether a connection could not be made or was lost. It is false if a
// statement failed on a working connection.
func isConnection(err error) bool {
	var (
		connect *pgconn.ConnectError
		server  *pgconn.PgError
		network *net.OpError
	)
	switch {
	case errors.As(err, &connect):
		return true
	case errors.As(err, &server):
		// A wrong number of arguments gives 08P01 as well.
		lost := strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P")
		return lost && server.Code != codeProtocolViolation
	default:
		return errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
}

// describe returns the text of a cause without values of arguments.
func describe(err error) string {
	var (
		connect *pgconn.ConnectError
		server  *pgconn.PgError
		scan    pgx.ScanArgError
	)
	switch {
	case errors.As(err, &connect):
		// One line, without the user and the database, which are in Op.
		attempts := strings.Split(errors.Unwrap(connect).Error(), "\n")
		return strings.Join(slices.Compact(attempts), "; ") + hint(err)
	case errors.As(err, &server):
		return serverText(server) + hint(err)
	case errors.As(err, &scan):
		return scan.Error()
	}
	text := err.Error()
	if start := strings.Index(text, "failed to encode args["); start >= 0 {
		number, _, _ := strings.Cut(text[start:], ":")
		return number + ": its Go type does not fit; its value is withheld"
	}
	return text
}

// serverText leaves out a message that can quote an argument. A message with a position is
// an error in the text of the statement, which is parsed before the arguments. Messages of
// the classes listed here do not quote values.
func serverText(e *pgconn.PgError) string {
	const classes = "08 23 25 28 3D 40 53 55 57 58"
	class := e.Code[:min(2, len(e.Code))]
	if e.Position > 0 || strings.Contains(classes, class) || e.Code == "42501" {
		return e.Error()
	}
	return e.Severity + " (SQLSTATE " + e.Code + "); its message can quote arguments and is withheld"
}

// hints say what to do if the message of the server does not.
var hints = map[string]string{
	"28P01": "check the user and the password",
	"28000": "check the user and the server's pg_hba.conf",
	"3D000": "check the database's name, or create it",
	"42501": "grant the user that right",
	"53300": "raise max_connections, or make the pools smaller",
}

func hint(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) && hints[server.Code] != "" {
		return ": " + hints[server.Code]
	}
	return ""
}
