package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"
)

const (
	// lockPause is the time between two attempts to get the lock. The lock is polled,
	// because a session that waits in a statement holds a snapshot, and CREATE INDEX
	// CONCURRENTLY waits for such snapshots.
	lockPause = 250 * time.Millisecond
	// closeTimeout bounds closing the connection.
	closeTimeout = 5 * time.Second
)

// session is the one connection that a run uses. Its lock is the same as goose's, so
// that goose's command line cannot run at the same time either.
type session struct {
	*sql.DB
	connector *connector
	options   Options
	locked    bool
}

// openReading returns a session without the lock, in one read-only transaction. With
// all, rows that a policy hides from the role are an error.
func openReading(ctx context.Context, pool *pgxpool.Pool, o Options, all bool) (*session, error) {
	s, err := open(ctx, pool, o)
	if err != nil {
		return nil, err
	}
	err = s.prompt(ctx, func(ctx context.Context) error {
		_, err := s.conn().Exec(ctx, beginReading(o, all))
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin to read: %w", err), s.close(ctx))
	}
	s.connector.conn.reading = true
	return s, nil
}

// open returns a session with the settings that it was given.
func open(ctx context.Context, pool *pgxpool.Pool, o Options) (*session, error) {
	c := &connector{Connector: stdlib.GetPoolConnector(pool), options: o}
	s := &session{DB: sql.OpenDB(c), connector: c, options: o}
	s.SetMaxOpenConns(1)
	s.SetMaxIdleConns(1)
	if err := s.PingContext(ctx); err != nil {
		return nil, errors.Join(err, s.DB.Close())
	}
	return s, nil
}

// conn returns the connection.
func (s *session) conn() *pgx.Conn { return s.connector.conn.Conn.Conn() }

// openLocked returns a session that holds the lock.
func openLocked(ctx context.Context, pool *pgxpool.Pool, o Options) (*session, error) {
	s, err := open(ctx, pool, o)
	if err != nil {
		return nil, err
	}
	err = s.prompt(ctx, s.refusePooler)
	if err == nil {
		err = s.prompt(ctx, s.configure)
	}
	if err == nil {
		err = s.lock(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close(ctx))
	}
	return s, nil
}

// prompt runs fn with a short timeout, for queries that a working server answers at once.
func (s *session) prompt(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.ConnectTimeout)
	defer cancel()
	return fn(ctx)
}

// refusePooler returns [ErrPooler] if a pooler is in between. Behind a pooler the lock
// would belong to a server connection that the next statement may not use.
func (s *session) refusePooler(ctx context.Context) error {
	var backend uint32
	if err := s.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return fmt.Errorf("ask for the server's process: %w", err)
	}
	if backend == s.conn().PgConn().PID() {
		return nil
	}
	return ErrPooler
}

// configure sets the settings of this session.
func (s *session) configure(ctx context.Context) error {
	if _, err := s.ExecContext(ctx, pinSQL(pins(s.options, true), false)); err != nil {
		return fmt.Errorf("configure the session: %w", err)
	}
	// If a runner is killed, the server ends its statement and releases its locks. Not every
	// operating system supports this.
	_, _ = s.ExecContext(ctx, "SET client_connection_check_interval = '2s'")
	return nil
}

// milliseconds formats a timeout for the server, where 0 means no limit.
func milliseconds(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// lock acquires the lock, and waits at most LockWait while another runner holds it.
func (s *session) lock(ctx context.Context) error {
	deadline := time.Now().Add(s.options.LockWait)
	for waiting := false; ; waiting = true {
		var got bool
		err := s.prompt(ctx, func(ctx context.Context) error {
			return s.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lock.DefaultLockID).Scan(&got)
		})
		if err != nil {
			return fmt.Errorf("lock the migrations: %w", err)
		}
		if s.locked = got; got {
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return &LockedError{Waited: s.options.LockWait, Holder: s.holder(ctx)}
		}
		if !waiting {
			s.options.Report(Event{Kind: Waiting, Holder: s.holder(ctx)})
		}
		if !pause(ctx, min(lockPause, left)) {
			return fmt.Errorf("wait for the migrations' lock: %w", ctx.Err())
		}
	}
}

// holder describes the session that holds the lock, or returns "" if none does.
func (s *session) holder(ctx context.Context) string {
	return s.who(ctx, `l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
		AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (l.classid::bigint << 32) + l.objid::bigint = $1`, lock.DefaultLockID)
}

// who describes the other sessions that hold matching locks. It is used only in
// messages, so errors are ignored.
func (s *session) who(ctx context.Context, condition string, arg any) string {
	var text sql.NullString
	_ = s.QueryRowContext(ctx, `SELECT string_agg(DISTINCT format('process %s (%s)', a.pid, concat_ws(', ',
		'role ' || a.usename, 'application ' || nullif(a.application_name, ''), a.state,
		'transaction since ' || to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'))), ', ')
		FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE a.pid <> pg_backend_pid() AND `+condition, arg).Scan(&text)
	return text.String
}

// ended closes the session and marks err if the connection was lost.
func (s *session) ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && s.conn().IsClosed() {
		err = &lostError{err}
	}
	return errors.Join(err, s.close(ctx))
}

// close ends the session, and with it the lock, a transaction and all settings.
func (s *session) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	conn := s.conn()
	switch {
	case conn.IsClosed():
	case s.locked:
		// Released here, because the server's process ends a little later.
		_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	default:
		_, _ = conn.Exec(ctx, "ROLLBACK") // a pooler would drop its connection otherwise
	}
	_ = conn.Close(ctx)
	return s.DB.Close()
}

// A role, a database or the server can change the default of every setting, and a
// connection starts with those. pins are the settings that the meaning of our
// statements, the reading of their answers, or the comparison of the catalog depend
// on. Left alone are search_path, role and the defaults of where and how tables are
// stored, which are the owner's to choose, and what only changes speed or logs.
//
// docs/decisions/0020-settings-and-history.md has the list with the reasons.
func pins(o Options, all bool) [][2]string {
	p := [][2]string{
		// How values, and definitions in the catalog, are written and read.
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"extra_float_digits", "1"},
		{"bytea_output", "hex"},
		{"quote_all_identifiers", "off"},
		{"client_encoding", "UTF8"},
		{"xmlbinary", "base64"},
		{"xmloption", "content"},
		// How statements are read.
		{"standard_conforming_strings", "on"},
		{"backslash_quote", "safe_encoding"},
		{"array_nulls", "on"},
		{"transform_null_equals", "off"},
		{"check_function_bodies", "on"},
		// What transactions may do, and how they end.
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"default_transaction_deferrable", "off"},
		{replicationRole, "origin"},
		{"exit_on_error", "off"},
		{"lock_timeout", milliseconds(o.LockTimeout)},
		{"statement_timeout", milliseconds(o.StatementTimeout)},
		{"idle_in_transaction_session_timeout", milliseconds(idleInTransaction)},
		{"idle_session_timeout", "0"},
		{"transaction_timeout", "0"},
	}
	// Rows that a policy hides would be omitted silently; off turns that into an error.
	// It is on where the rows that the role may see are enough.
	if all {
		return append(p, [2]string{"row_security", "off"})
	}
	return append(p, [2]string{"row_security", "on"})
}

// replicationRole is the only setting of a superuser among those.
const replicationRole = "session_replication_role"

// idleInTransaction ends a runner that hangs and would hold its locks forever.
const idleInTransaction = time.Minute

// pinSQL sets what differs. The server may not know some of the settings, and a role
// may lack the right to change that of a superuser: both are left out. It reads no table
// or view, on which a right could be missing. No value has a quote or a backslash, so the
// statement means the same under every setting.
func pinSQL(pins [][2]string, local bool) string {
	rows := make([]string, len(pins))
	for i, p := range pins {
		rows[i] = fmt.Sprintf("('%s', '%s')", strings.ToLower(p[0]), p[1])
	}
	return fmt.Sprintf(`SELECT count(pg_catalog.set_config(v.name, v.value, %t)) FROM (VALUES %s) v (name, value)
	WHERE pg_catalog.current_setting(v.name, true) <> v.value
	  AND (v.name <> '%s' OR pg_catalog.has_parameter_privilege(v.name, 'SET'))`,
		local, strings.Join(rows, ", "), replicationRole)
}

// beginReading begins a transaction that only reads, with the settings pinned for it
// alone: a pooler that gives each transaction another session takes that. All of it is
// one message, so that no limit on an idle transaction comes between.
func beginReading(o Options, all bool) string {
	return "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE; " + pinSQL(pins(o, all), true)
}
