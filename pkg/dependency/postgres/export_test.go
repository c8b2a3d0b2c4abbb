package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// EndLifetime makes the next check find its connections too old, as it would a
// minute after they were dialled.
func (p *Checker) EndLifetime() { p.Redial() }

// AppSchedule decides when the API's connections are counted.
type AppSchedule struct{ app appConnections }

// Due reports whether it is time for a count, and takes it.
func (s *AppSchedule) Due(least time.Duration, pods int) bool {
	due := s.app.due(least, pods)
	if due {
		s.app.takenAt = time.Now()
	}
	return due
}

// Forget is what a failed check does.
func (s *AppSchedule) Forget() { s.app.forget() }

// Pool is what the checker uses.
func (p *Checker) Pool() *pgxpool.Pool { return p.pool }
