package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes with special handling.
const (
	classAuth              = "28"
	codeNoDatabase         = "3D000"
	codeSerialization      = "40001"
	codeOutOfMemory        = "53200"
	codeTooManyConnections = "53300"
	codeAdminShutdown      = "57P01"
	codeCrashShutdown      = "57P02"
	codeIdleSession        = "57P05"
	codeCannotConnectNow   = "57P03"
	codeQueryCanceled      = "57014"
	codeLockNotAvailable   = "55P03"
	codeNoPrivilege        = "42501"
	codeDeadlock           = "40P01"
	codeUndefinedColumn    = "42703"
	codeNoSchema           = "3F000"
)

// ErrPooler is the error for a connection through a pooler.
var ErrPooler = errors.New("migrate: the address leads to a connection pooler, such as PgBouncer, " +
	"through which the lock against a second runner cannot be held: " +
	"set DATABASE_MIGRATION_URL (or DATABASE_MIGRATION_URL_FILE) to an address of the server itself")

// LockedError is the error if another runner holds the lock.
type LockedError struct {
	Waited time.Duration
	Holder string // description of the holder; empty if unknown
}

// Error returns who holds the lock, and what to do.
func (e *LockedError) Error() string {
	return fmt.Sprintf("lock the migrations: another runner has held the lock for %s: %s; nothing was changed: "+
		"wait for it and run this again, or raise MIGRATE_LOCK_WAIT",
		e.Waited, cmp.Or(e.Holder, "it is not known who"))
}

// StepError is the error of a statement of a migration. The earlier changes of the migration
// were rolled back, unless it runs in no transaction.
type StepError struct {
	File      string
	Line      int    // 0 if unknown
	Code      string // SQLSTATE; empty if unknown
	Statement string
	Advice    string // what to do; may be empty
	Err       error
}

// Error returns file, line, the server's message, the advice and the statement.
func (e *StepError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + explain(e.Err))
	if e.Advice != "" {
		b.WriteString("\n  " + e.Advice)
	}
	if e.Statement != "" {
		b.WriteString("\n  statement:\n    " + strings.ReplaceAll(e.Statement, "\n", "\n    "))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// SQLState returns the SQLSTATE, as a *pgconn.PgError does.
func (e *StepError) SQLState() string { return e.Code }

func sqlState(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	return ""
}

// explain returns the text of an error with the server's detail, hint and context.
func explain(err error) string {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return err.Error()
	}
	lines := []string{server.Error()}
	for _, extra := range [][2]string{{"detail", server.Detail}, {"hint", server.Hint}, {"where", server.Where}} {
		if extra[1] != "" {
			lines = append(lines, extra[0]+": "+extra[1])
		}
	}
	return strings.Join(lines, "\n  ")
}

// failed returns a StepError with the statement that failed.
func (m *Migrator) failed(ctx context.Context, s *session, step Step, up bool, err error) error {
	e := &StepError{File: step.File, Code: sqlState(err), Err: err}
	if statements := s.connector.conn.statements; len(statements) > 0 {
		e.Statement = strings.TrimSpace(statements[len(statements)-1])
		e.Line = m.line(step, up, statements, err)
	}
	e.Advice = s.advice(ctx, e.Code)
	return e
}

// line finds the last of the statements, which come in the file's order, and the place
// in it that the server names. It returns 0 for one that is not of the file, such as
// goose's own.
func (m *Migrator) line(step Step, up bool, statements []string, err error) int {
	text, line, readErr := section(m.options.FS, step.File, up)
	if readErr != nil {
		return 0
	}
	at, end := -1, 0
	for _, statement := range statements {
		statement = strings.TrimSpace(statement)
		if at = strings.Index(text[end:], statement); at >= 0 {
			at += end
			end = at + len(statement)
		}
	}
	if at < 0 {
		return 0
	}
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Position > 0 {
		runes := []rune(text[at:])
		at += len(string(runes[:min(int(server.Position)-1, len(runes))]))
	}
	return line + strings.Count(text[:at], "\n")
}

// wrap returns the error with the action that failed and what to do.
func (s *session) wrap(ctx context.Context, op string, err error) error {
	text := op + ": " + explain(err)
	if advice := s.advice(ctx, sqlState(err)); advice != "" {
		text += "\n  " + advice
	}
	return &explained{text, err}
}

// explained is an error with a different text.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// advice returns what to do about errors whose cause is outside the migration.
func (s *session) advice(ctx context.Context, code string) string {
	switch {
	case s.conn().IsClosed():
		return "The connection was lost. The server undoes a transaction that was not committed: run this again."
	case code == codeLockNotAvailable:
		return strings.TrimSpace(fmt.Sprintf("A lock on the table was not to be had within %s (MIGRATE_LOCK_TIMEOUT). "+
			"Nothing of this step was done: end the transaction that is in the way, and run this again. %s",
			s.options.LockTimeout, s.blockers(ctx)))
	case code == codeDeadlock:
		return "This and another transaction were in a deadlock, and this one was cancelled: run this again."
	case code == codeQueryCanceled:
		return "The statement was cancelled by MIGRATE_STATEMENT_TIMEOUT, which can be raised, or by another session."
	case code == codeNoPrivilege:
		return "The role lacks a right: run this as the owner of the tables, or grant it (docs/roles.md)."
	case code == codeNoSchema:
		return "search_path has no schema that exists: ALTER ROLE … SET search_path, or create the schema."
	}
	return ""
}

// blockers returns a description of the sessions with locks on the table.
func (s *session) blockers(ctx context.Context) string {
	if who := s.who(ctx, "l.granted AND l.relation = to_regclass($1)", table); who != "" {
		return "It is locked by " + who + "."
	}
	return ""
}

const (
	// retryPause is the time between two runs.
	retryPause = 2 * time.Second
	// noticePause is the least time between two notices of different failures, and
	// repeatPause that between two of the same.
	noticePause = 5 * time.Second
	repeatPause = 30 * time.Second
)

// notice reports failures that are retried: each new text at once, and the same text
// again after repeatPause.
type notice struct {
	options Options
	text    string
	at      time.Time
}

func newNotice(o Options) *notice { return &notice{options: o} }

func (n *notice) failed(err error) {
	text, since := err.Error(), time.Since(n.at)
	if n.options.RetryFor == 0 || n.text != "" && since < noticePause || text == n.text && since < repeatPause {
		return
	}
	n.text, n.at = text, time.Now()
	n.options.Report(Event{Kind: Retrying, Err: err})
}

// mayPass reports whether a failure with this SQLSTATE is transient.
func mayPass(code string) bool {
	switch code {
	case codeTooManyConnections, codeCannotConnectNow, codeLockNotAvailable, codeDeadlock, codeSerialization,
		codeAdminShutdown, codeCrashShutdown, codeIdleSession, codeOutOfMemory:
		return true
	default:
		return false
	}
}

// again reports whether another run may succeed. An error in a migration, or one that needs
// a decision by a person, is final.
func (m *Migrator) again(err error) bool {
	var (
		locked *LockedError
		lost   *lostError
	)
	return errors.As(err, &locked) || errors.As(err, &lost) || mayPass(sqlState(err))
}

// lostError is the error if the connection was lost during a run.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// repeat runs fn until it succeeds, fails permanently, or RetryFor is over.
func (m *Migrator) repeat(ctx context.Context, fn func(context.Context, Options) (Result, error)) (Result, error) {
	deadline := time.Now().Add(m.options.RetryFor)
	n := newNotice(m.options)
	var from *int64
	for {
		o := m.options
		o.RetryFor = max(time.Until(deadline), 0)
		result, err := fn(ctx, o)
		if from == nil && (err == nil || result.To > 0) {
			from = &result.From
		}
		if from != nil {
			result.From = *from
		}
		if err == nil || !m.again(err) || time.Until(deadline) < retryPause {
			return result, err
		}
		n.failed(err)
		if !pause(ctx, retryPause) {
			return result, err
		}
	}
}
