package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// memo keeps what was last made of the published view, for as long as it is true.
// Whoever asks while it is being made waits for it, so that a crowd costs no more than
// one reader. Nothing but the answers that are made on demand goes by its lock.
type memo[T any] struct {
	// published is the view that the handler was told of last, not the monitor's latest:
	// the history learns of a view after the monitor shows it.
	published *atomic.Pointer[health.View]
	// produce returns what it made, and until when that is true; the zero time is for
	// as long as no other view is published.
	produce func(*health.View, time.Time) (T, time.Time)

	mu    sync.Mutex
	from  *health.View // nil: nothing is kept
	until time.Time
	made  T
}

func (m *memo[T]) get() T {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, now := m.published.Load(), time.Now()
	if m.from != v || !m.until.IsZero() && now.After(m.until) {
		m.made, m.until = m.produce(v, now)
		m.from = v
	}
	return m.made
}

// forget drops what is kept, once another view has been published: it would not be
// given to anybody any more. It does not wait: what is being made now is dropped the
// next time.
func (m *memo[T]) forget() {
	if !m.mu.TryLock() {
		return
	}
	defer m.mu.Unlock()
	var none T
	m.made, m.from = none, nil
}
