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

// What went wrong, for errors.Is. Every error of this package matches
// ErrDatabase; most match one of the others too.
var (
	ErrDatabase       = errors.New("database error")
	ErrConnection     = errors.New("no connection to the database")
	ErrQuery          = errors.New("query failed")
	ErrNotInitialised = errors.New("pool not initialised")
)

// Error is what this package returns, always by pointer. It matches [ErrDatabase]
// and one of the other sentinels, and unwraps to the driver's error, so that
// errors.Is(err, pgx.ErrNoRows) and errors.As to a *pgconn.PgError work.
//
// Its own text holds neither arguments nor passwords. The texts of the errors it
// wraps can: don't show them.
type Error struct {
	Op   string // what was tried, and on what
	Code string // SQLSTATE; empty where the server did not say
	Err  error  // the cause

	kind error
}

// Error returns what was tried and what happened.
func (e *Error) Error() string { return e.Op + ": " + describe(e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the sentinels.
func (e *Error) Is(target error) bool { return target == ErrDatabase || target == e.kind }

// SQLState returns the SQLSTATE, as a *pgconn.PgError does.
func (e *Error) SQLState() string { return e.Code }

// Timeout reports whether time ran out, on this side or on the server.
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

// wrap makes an *Error of what pgx returned. An error that is one stays as it is.
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

// isConnection tells a connection that could not be made, or was lost, from a
// statement that failed on a good one.
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
		// 08P01 is what a wrong number of arguments gives as well.
		lost := strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "57P")
		return lost && server.Code != codeProtocolViolation
	default:
		return errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	}
}

// describe returns the text of a cause without the values that it may quote.
func describe(err error) string {
	var (
		connect *pgconn.ConnectError
		server  *pgconn.PgError
		scan    pgx.ScanArgError
	)
	switch {
	case errors.As(err, &connect):
		// One line, and without the user and the database, which the operation names.
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

// serverText withholds a message that can quote an argument. One that came with a
// position was found while the statement's own text was read, before any
// argument; the classes named here don't quote values.
func serverText(e *pgconn.PgError) string {
	const classes = "08 23 25 28 3D 40 53 55 57 58"
	class := e.Code[:min(2, len(e.Code))]
	if e.Position > 0 || strings.Contains(classes, class) || e.Code == "42501" {
		return e.Error()
	}
	return e.Severity + " (SQLSTATE " + e.Code + "); its message can quote arguments and is withheld"
}

// hints say what to do, where it is not plain from the message.
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
