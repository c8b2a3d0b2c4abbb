package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/migrations"
)

// State is the state of a migration in a database.
type State string

// Unknown is a version of the database that this program does not know.
const (
	StateApplied State = "applied"
	StatePending State = "pending"
	StateUnknown State = "unknown"
)

// StepStatus is one step in a [Status].
type StepStatus struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"` // empty where it is unknown
	State     State      `json:"state"`
	AppliedAt *time.Time `json:"applied_at"` // null while pending
}

// Status has the applied and the pending migrations of a database.
type Status struct {
	Current  int64 `json:"current"`  // newest version that was applied; 0 for none
	Latest   int64 `json:"latest"`   // that this program knows
	Required int64 `json:"required"` // that it needs
	Pending  int   `json:"pending"`
	// Adoptable is true if the table exists and no version does: Up will adopt it.
	Adoptable bool `json:"adoptable"`
	// Problem says why the version table cannot be that of this program, or cannot
	// be read; empty without a problem.
	Problem string       `json:"problem,omitempty"`
	Steps   []StepStatus `json:"migrations"`
}

// Status reads the version table. It creates nothing, takes no lock, and works
// through a pooler.
func (m *Migrator) Status(ctx context.Context) (_ *Status, err error) {
	s, err := openReading(ctx, m.pool, m.options, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	h, err := readHistory(ctx, s)
	if err != nil {
		return nil, err
	}
	status := m.status(h)
	status.Adoptable = h.current() == 0 && m.adopts && h.table != ""
	if err := h.check(m.steps, m.adopts); err != nil {
		status.Problem = err.Error()
	} else if h.filtered {
		status.Problem = "row security of the table " + versionTable + " decides which versions this role sees: there may be others"
	}
	return status, nil
}

func (m *Migrator) status(h history) *Status {
	status := &Status{Current: h.current(), Latest: m.Latest(), Required: migrations.Required}
	for _, step := range m.steps {
		entry := StepStatus{Version: step.Version, Name: step.Name, State: StatePending}
		if at, ok := h.applied[step.Version]; ok {
			entry.State, entry.AppliedAt = StateApplied, &at
		} else {
			status.Pending++
		}
		status.Steps = append(status.Steps, entry)
	}
	for _, version := range slices.Sorted(maps.Keys(h.applied)) {
		if version > m.Latest() {
			at := h.applied[version]
			status.Steps = append(status.Steps, StepStatus{Version: version, State: StateUnknown, AppliedAt: &at})
		}
	}
	return status
}

// Planned is a migration that would run.
type Planned struct {
	Step  Step
	Adopt bool   // the table exists: it is adopted instead of created
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
