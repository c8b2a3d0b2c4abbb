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

// UsedSchedule decides when the server's connections are counted.
type UsedSchedule struct{ watch usedWatch }

// Check is a check beside so many sidecars, on a server that has so many connections. It reports
// whether they were counted, and whether the sidecars were.
func (s *UsedSchedule) Check(sidecars int, connections int64) (counted, sidecarsCounted bool) {
	used, known := s.watch.due(time.Now(), sidecars)
	answer, n := new(state), int64(sidecars)
	if used {
		answer.used = &connections
	}
	if known {
		answer.sidecars = &n
	}
	s.watch.take(time.Now(), answer)
	return used, known
}

// Fail is what a failed check does.
func (s *UsedSchedule) Fail() { s.watch.forget() }

// Pool is what the checker uses.
func (p *Checker) Pool() *pgxpool.Pool { return p.pool }
