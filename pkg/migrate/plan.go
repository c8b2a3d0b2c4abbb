package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Planned is a step that would run.
type Planned struct {
	Step  Step
	Adopt bool   // the table is there: it is completed rather than made
	SQL   string // with the file's comments
}

// PlanUp returns what [Migrator.Up] would do now. It only reads, takes no lock, and
// works through a pooler. The result says whether the database is newer.
//
// Errors: [*AdoptError], [*HistoryError], or a connection's.
func (m *Migrator) PlanUp(ctx context.Context) (plan []Planned, result Result, err error) {
	s, err := openReading(ctx, m.pool, m.options, true)
	if err != nil {
		return nil, Result{}, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	h, err := readHistory(ctx, s)
	if err != nil {
		return nil, Result{}, err
	}
	if err := h.check(m.steps, m.adopts); err != nil {
		return nil, Result{}, err
	}
	result = Result{From: h.current(), To: max(h.current(), m.Latest()), Newer: h.current() > m.Latest()}
	if result.Newer {
		return nil, result, nil
	}
	rest := m.steps[h.current():]
	if h.current() == 0 {
		adoption, err := m.planAdoption(ctx, s)
		if err != nil {
			return nil, result, err
		}
		if adoption != nil {
			plan = append(plan, Planned{Step: rest[0], Adopt: true, SQL: strings.Join(adoption.statements(), "\n")})
			rest = rest[1:]
		}
	}
	steps, err := m.planned(rest, true)
	return append(plan, steps...), result, err
}

// PlanDown returns what [Migrator.Down] would do now, under the same conditions.
func (m *Migrator) PlanDown(ctx context.Context, to int64) (plan []Planned, result Result, err error) {
	status, err := m.Status(ctx)
	if err != nil {
		return nil, Result{}, err
	}
	if status.Problem != "" {
		return nil, Result{}, fmt.Errorf("undo migrations: %s", status.Problem)
	}
	result = Result{From: status.Current, To: min(to, status.Current)}
	if err := m.knows(result.From); err != nil {
		return nil, result, err
	}
	var steps []Step
	for version := result.From; version > result.To; version-- {
		steps = append(steps, m.steps[version-1])
	}
	plan, err = m.planned(steps, false)
	return plan, result, err
}

func (m *Migrator) planned(steps []Step, up bool) ([]Planned, error) {
	var plan []Planned
	for _, step := range steps {
		text, _, err := section(m.options.FS, step.File, up)
		if err != nil {
			return nil, fmt.Errorf("read the migrations: %w", err)
		}
		plan = append(plan, Planned{Step: step, SQL: plainSQL(text)})
	}
	return plan, nil
}
