package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// part is one statement of a check and reads the one row that it answers, or none.
// Names of functions and operators are qualified, because search_path can put a
// schema before pg_catalog, and no literal holds a backslash
// (standard_conforming_strings).
type part struct {
	// name is what the check lacks without this part; empty where it can't do without.
	name, advice string
	sql          string
	scan         func(*state, *answer)
}

// pins returns statements that come before the parts. All are one message, which is
// one implicit transaction, and what they set ends with it: a transaction pooler
// gives the session to others afterwards. They undo what a role, a database or a
// server may set for every session, and what would change the answers.
func (p *Checker) pins(conn *pgconn.PgConn) []string {
	pins := []string{
		// A standby refuses serializable transactions, and with
		// default_transaction_deferrable one waits for others to end.
		"SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
		"SET LOCAL exit_on_error = off", // else a part that is refused ends the session
		"SET LOCAL row_security = on",   // else a policy on the version's table is an error
		"SET LOCAL jit = off",
		"SET LOCAL lock_timeout = '" + lockTimeout + "'",
	}
	if timeout := p.statementTimeout; timeout != "" {
		// Zero stops the timer that runs already, with the role's value; a pooler does not
		// let us give the session one of our own.
		pins = append(pins, "SET LOCAL statement_timeout = 0", "SET LOCAL statement_timeout = "+timeout)
	}
	if major, _, _ := strings.Cut(conn.ParameterStatus("server_version"), "."); atLeast(major, 17) {
		pins = append(pins, "SET LOCAL transaction_timeout = 0") // it would end the session
	}
	return pins
}

// lockTimeout is how long a part waits for a lock: long enough for one that is held
// for a moment, and short enough for all parts to fit into the probe's timeout.
const lockTimeout = "50ms"

func atLeast(number string, least int) bool {
	n, err := strconv.Atoi(number)
	return err == nil && n >= least
}

// ask sends all parts in one message and one round trip. A part that the server
// refuses costs what it would have told, and another message for the parts after it.
func (p *Checker) ask(ctx context.Context, conn *pgx.Conn, sample bool) (*state, error) {
	s := new(state)
	parts := append(coreParts(), p.available(standbyPart())...)
	used, sidecars := p.used.due(time.Now(), p.sidecars())
	if used {
		parts = append(parts, p.available(usedPart())...)
	}
	if sidecars {
		parts = append(parts, p.available(sidecarsPart())...)
	}
	parts = append(parts, p.available(p.writes.part())...)
	if sample {
		parts = append(parts, p.available(appPart())...)
	}
	if p.opts.RequiredSchema == 0 {
		return s, p.answer(ctx, conn, s, parts)
	}
	return s, p.askSchema(ctx, conn, s, parts)
}

// answer sends parts until each is answered or refused.
func (p *Checker) answer(ctx context.Context, conn *pgx.Conn, s *state, parts []part) error {
	for len(parts) > 0 {
		answered, err := p.send(ctx, conn, s, parts)
		if err == nil {
			return nil
		}
		if answered == len(parts) || parts[answered].name == "" || !survived(ctx, conn, err) {
			return err
		}
		p.refused(s, parts[answered], err)
		parts = parts[answered+1:]
	}
	return nil
}

// survived reports whether the error is the server's refusal of one statement, after
// which it takes others.
func survived(ctx context.Context, conn *pgx.Conn, err error) bool {
	server, ok := errors.AsType[*pgconn.PgError](err)
	return ok && server.Code != codeCanceled && !conn.IsClosed() && ctx.Err() == nil
}

func isServerError(err error) bool {
	_, ok := errors.AsType[*pgconn.PgError](err)
	return ok
}

// send sends parts in one message. It returns how many were answered.
func (p *Checker) send(ctx context.Context, conn *pgx.Conn, s *state, parts []part) (answered int, err error) {
	statements := p.pins(conn.PgConn())
	pins := len(statements)
	for _, part := range parts {
		statements = append(statements, part.sql)
	}
	sql := strings.Join(strings.Fields(strings.Join(statements, "; ")), " ") // a quarter is blanks, which no literal has two of
	if p.tracer != nil {
		ctx = p.tracer.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{SQL: sql})
		defer func() { p.tracer.TraceQueryEnd(ctx, conn, pgx.TraceQueryEndData{Err: err}) }()
	}
	start := time.Now()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	s.latency = time.Since(start)
	if err != nil && conn.IsClosed() && dependency.NetworkReason(err) == health.ReasonError && !isServerError(err) {
		// The driver forgets what ended the connection while it waits for an answer.
		err = fmt.Errorf("%w: %w", err, io.ErrUnexpectedEOF)
	}
	for i, result := range results {
		if result.Err != nil || i < pins || i-pins >= len(parts) {
			continue
		}
		a := &answer{rows: result.Rows}
		parts[i-pins].scan(s, a)
		if a.err != nil {
			return i - pins, fmt.Errorf("%s: %w", parts[i-pins].sql, a.err)
		}
		answered++
	}
	if err == nil && answered < len(parts) {
		err = fmt.Errorf("%d answers to %d statements", answered, len(parts))
	}
	return answered, err
}

// available returns the parts that the server did not refuse on this connection's
// predecessors since the last Redial.
func (p *Checker) available(parts ...part) []part {
	var available []part
	for _, part := range parts {
		if !p.missing[part.name] {
			available = append(available, part)
		}
	}
	return available
}

// refused leaves a part out until the connections are given up, and says so once.
func (p *Checker) refused(s *state, part part, err error) {
	if p.schema.refused(s, part, err) {
		return
	}
	p.missing[part.name] = true
	if !p.told[part.name] {
		p.told[part.name] = true
		p.opts.Logger.Warn("PostgreSQL refuses a part of the check; it goes on without",
			slog.String("missing", part.name), slog.String("advice", p.opts.Prefix.Expand(part.advice)), slog.Any("error", err))
	}
}

// answer is one row in text, which for the names, numbers and booleans that the
// parts ask for is the same with whatever settings.
type answer struct {
	rows [][][]byte
	next int
	err  error
}

// none reports that there is no row.
func (a *answer) none() bool { return len(a.rows) == 0 }

func (a *answer) text() string {
	if a.none() || a.next >= len(a.rows[0]) {
		a.err = errors.New("fewer columns than asked for")
		return ""
	}
	a.next++
	return string(a.rows[0][a.next-1])
}

func (a *answer) number() int64 {
	value := a.text()
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		a.fail(value)
	}
	return n
}

func (a *answer) flag() bool {
	value := a.text()
	if value != "t" && value != "f" {
		a.fail(value)
	}
	return value == "t"
}

func (a *answer) fail(value string) {
	if a.err == nil {
		a.err = fmt.Errorf("unexpected value %.20q", value)
	}
}
