package migrate

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/reims/reims-health/migrations"
)

// Options say how to migrate. The zero value of a field stands for its default,
// unless it says otherwise.
type Options struct {
	// FS holds the steps, as goose reads them. Default [migrations.FS].
	FS fs.FS
	// ConnectTimeout is how long to retry a server that cannot be reached or is starting
	// up. Default 30 s.
	ConnectTimeout time.Duration
	// RetryFor is how long Up tries again after a failure that may pass by itself; a
	// server that cannot be reached is then tried for that long too. It bounds no run
	// that is at work. The zero value does not try again.
	RetryFor time.Duration
	// LockWait is how long another runner is waited for. The zero value tries once.
	LockWait time.Duration
	// LockTimeout bounds the wait for a lock on a table, during which everybody else
	// waits behind this one. Default 5 s.
	LockTimeout time.Duration
	// StatementTimeout bounds each statement, on the server. Zero means no limit.
	StatementTimeout time.Duration
	// Report is called before and after each step, in the goroutine that runs the step.
	// The default discards the events.
	Report func(Event)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = migrations.FS
	}
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 30*time.Second)
	o.LockTimeout = cmp.Or(o.LockTimeout, 5*time.Second)
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	return o
}

// Migrator moves one database between versions of the schema. Its methods are safe
// for concurrent use, here and in other processes: one runs, the others wait.
type Migrator struct {
	pool    *pgxpool.Pool
	options Options
	steps   []Step
	adopts  bool // the first step is the one that adoption leads to
}

// New reads the names of the steps. It does not connect. The pool stays the caller's;
// a bound on its statements must be above StatementTimeout.
func New(pool *pgxpool.Pool, o Options) (*Migrator, error) {
	o = o.withDefaults()
	if min(o.ConnectTimeout, o.RetryFor, o.LockWait, o.LockTimeout, o.StatementTimeout) < 0 {
		return nil, errors.New("set up migrations: a duration is negative")
	}
	steps, err := readSteps(o.FS)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return &Migrator{pool: pool, options: o, steps: steps, adopts: sameFile(o.FS, migrations.FS, steps[0].File)}, nil
}

func sameFile(a, b fs.FS, name string) bool {
	x, err1 := fs.ReadFile(a, name)
	y, err2 := fs.ReadFile(b, name)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// Latest is the newest version that this program knows.
func (m *Migrator) Latest() int64 { return m.steps[len(m.steps)-1].Version }

// Kind says what an [Event] is.
type Kind string

// What is reported. Done follows Start; Adopted and Undone follow it as well.
const (
	Waiting Kind = "waiting" // for the lock that another runner holds; once
	// Retrying says that something failed and is tried again, once for each reason and
	// from time to time.
	Retrying Kind = "retrying"
	Start    Kind = "start"   // of a step, up or down
	Adopted  Kind = "adopted" // the first step was there already, and was completed
	Applied  Kind = "applied"
	Undone   Kind = "undone"
)

// Event is something that happened while migrating.
type Event struct {
	Kind   Kind
	Step   Step
	Took   time.Duration // of a step that is done
	Holder string        // of Waiting: who holds the lock, in words; may be empty
	Err    error         // of Retrying
	// Changes, of Adopted, are what was different from the first step, in words.
	Changes []string
}

// Result is what was done.
type Result struct {
	From, To int64 // versions before and after
	// Newer is set when the database is newer than this program, which then did nothing.
	Newer bool
}

// Up applies the pending steps, each in its own transaction unless the step says
// otherwise. A table that was made without this program is adopted: it becomes what the
// first step makes, and keeps its rows.
//
// Errors: [ErrPooler], [*LockedError], [*HistoryError], [*StepError], [*AdoptError], or a
// connection's.
// The steps before the one that failed stay applied.
//
// With RetryFor, transient failures are retried: a server that cannot be reached, a lost
// connection, another runner, a lock on a table.
func (m *Migrator) Up(ctx context.Context) (Result, error) { return m.repeat(ctx, m.up) }

func (m *Migrator) up(ctx context.Context, o Options) (_ Result, err error) {
	s, err := openLocked(ctx, m.pool, o)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = s.ended(ctx, err) }()
	h, err := readHistory(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if err := h.check(m.steps, m.adopts); err != nil {
		return Result{}, err
	}
	result := Result{From: h.current(), To: h.current()}
	if result.From > m.Latest() {
		result.Newer = true
		return result, nil
	}
	if result.To, err = m.bootstrap(ctx, s, h); err != nil {
		return result, err
	}
	return result, m.applyAll(ctx, s, &result)
}

// bootstrap prepares the version table and adopts an existing table, in one transaction.
// It returns the resulting version of the database.
func (m *Migrator) bootstrap(ctx context.Context, s *session, h history) (int64, error) {
	var adoption *adoption
	if h.current() == 0 {
		var err error
		if adoption, err = m.planAdoption(ctx, s); err != nil {
			return 0, err
		}
	}
	if h.schema != "" && !h.empty && len(h.undone) == 0 && adoption == nil {
		return h.current(), nil
	}
	err := inTx(ctx, s, func(tx *sql.Tx) error {
		if err := h.prepare(ctx, tx, m.Latest()); err != nil {
			return s.wrap(ctx, "prepare the table "+versionTable, err)
		}
		if adoption != nil {
			return m.adopt(ctx, s, tx, adoption)
		}
		return nil
	})
	if err != nil || adoption == nil {
		return h.current(), err
	}
	return m.steps[0].Version, nil
}

// applyAll applies the remaining steps in order.
func (m *Migrator) applyAll(ctx context.Context, s *session, result *Result) error {
	provider, err := m.provider(s)
	if err != nil {
		return err
	}
	for _, step := range m.steps[result.To:] {
		m.options.Report(Event{Kind: Start, Step: step})
		start := time.Now()
		s.connector.conn.statements = nil
		if _, err := provider.UpByOne(ctx); err != nil {
			return m.failed(ctx, s, step, true, cause(err))
		}
		m.options.Report(Event{Kind: Applied, Step: step, Took: time.Since(start)})
		result.To = step.Version
	}
	return nil
}

// provider returns goose on the session's only connection. It is not given a locker:
// goose's own Up would create the version table before it takes the lock.
func (m *Migrator) provider(s *session) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, s.DB, m.options.FS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, nil
}

// cause returns the error of the statement without goose's wrapper.
func cause(err error) error {
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return partial.Err
	}
	return err
}

func inTx(ctx context.Context, s *session, fn func(*sql.Tx) error) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback() // a lost connection has rolled back by itself
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Down undoes steps, the newest first, until the version is to. Rows can be lost: the
// caller asks before. A database that is at to or below stays as it is.
//
// Errors are those of [Migrator.Up]. A database that is newer than this program is one
// too: only the program that knows a step can undo it.
func (m *Migrator) Down(ctx context.Context, to int64) (_ Result, err error) {
	if to < 0 {
		return Result{}, fmt.Errorf("undo migrations: there is no version %d", to)
	}
	s, err := openLocked(ctx, m.pool, m.options)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	h, err := readHistory(ctx, s)
	if err != nil {
		return Result{}, err
	}
	if err := h.check(m.steps, m.adopts); err != nil {
		return Result{}, err
	}
	result := Result{From: h.current(), To: h.current()}
	if err := m.knows(result.From); err != nil {
		return result, err
	}
	return result, m.rollbackTo(ctx, s, to, &result)
}

func (m *Migrator) knows(version int64) error {
	if version <= m.Latest() {
		return nil
	}
	return fmt.Errorf("undo migrations: the database is at version %d and this program knows %d: "+
		"use the release that brought version %d", version, m.Latest(), version)
}

func (m *Migrator) rollbackTo(ctx context.Context, s *session, to int64, result *Result) error {
	provider, err := m.provider(s)
	if err != nil {
		return err
	}
	for result.To > to {
		step := m.steps[result.To-1]
		m.options.Report(Event{Kind: Start, Step: step})
		start := time.Now()
		s.connector.conn.statements = nil
		if _, err := provider.ApplyVersion(ctx, step.Version, false); err != nil {
			return m.failed(ctx, s, step, false, cause(err))
		}
		m.options.Report(Event{Kind: Undone, Step: step, Took: time.Since(start)})
		result.To--
	}
	return nil
}
