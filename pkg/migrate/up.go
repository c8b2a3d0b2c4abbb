package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
)

// Up applies what is not applied yet, each step in a transaction of its own unless it
// says not. A table that was made without this program is adopted: it becomes what the
// first step makes, with its rows kept.
//
// Errors: [ErrPooler], [*LockedError], [*HistoryError], [*StepError], [*AdoptError], or a
// connection's.
// The steps that came before the one that failed stay.
//
// With RetryFor, what may pass by itself is tried again: a server that cannot be
// reached, a connection that was lost, another runner, a lock on a table.
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
	if result.To, err = m.begin(ctx, s, h); err != nil {
		return result, err
	}
	return result, m.climb(ctx, s, &result)
}

// begin makes the version table ready and adopts, in one transaction. It returns the version
// that the database has then.
func (m *Migrator) begin(ctx context.Context, s *session, h history) (int64, error) {
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

// climb applies one step after the other.
func (m *Migrator) climb(ctx context.Context, s *session, result *Result) error {
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

// provider returns goose on the session's only connection. It takes no lock itself:
// its Up asks for the version table, and makes it, before it would.
func (m *Migrator) provider(s *session) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, s.DB, m.options.FS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return p, nil
}

// cause takes off what goose wraps around an error of a statement.
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
