package server

import (
	"sync"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// memo keeps what was last made of a snapshot, for as long as it is true. Whoever
// asks while it is being made waits for it, so that a crowd costs no more than one
// reader. Nothing but the answers that are made on demand goes by its lock.
type memo[T any] struct {
	source Source
	// produce returns what it made, and until when that is true; the zero time is for
	// as long as the snapshot is the latest.
	produce func(*health.Snapshot, time.Time) (T, time.Time)

	mu    sync.Mutex
	from  *health.Snapshot
	until time.Time
	made  T
}

func (m *memo[T]) get() T {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, now := m.source.Snapshot(), time.Now()
	if m.from != s || !m.until.IsZero() && now.After(m.until) {
		m.made, m.until = m.produce(s, now)
		m.from = s
	}
	return m.made
}
