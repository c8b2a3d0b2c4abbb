package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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
	return result, m.descend(ctx, s, to, &result)
}

func (m *Migrator) knows(version int64) error {
	if version <= m.Latest() {
		return nil
	}
	return fmt.Errorf("undo migrations: the database is at version %d and this program knows %d: "+
		"use the release that brought version %d", version, m.Latest(), version)
}

func (m *Migrator) descend(ctx context.Context, s *session, to int64, result *Result) error {
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
