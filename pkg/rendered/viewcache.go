package rendered

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// ViewCache keeps what was last made of the published view, for as long as it is true.
// Readers that ask while it is being made wait for it, so that many readers cost no more
// than one. Only responses that are made on demand take its lock.
//
// The zero value is not usable: see [NewViewCache].
type ViewCache[T any] struct {
	published *atomic.Pointer[health.View]
	produce   func(*health.View, time.Time) (T, time.Time)

	mu    sync.Mutex
	from  *health.View // nil: nothing is kept
	until time.Time
	made  T
}

// NewViewCache returns a cache of what produce makes of the view that published holds:
// the view that the history has observed, which may be older than the monitor's latest.
// produce returns what it made, and until when that is true; the zero time is for as long
// as no other view is published.
func NewViewCache[T any](published *atomic.Pointer[health.View], produce func(*health.View, time.Time) (T, time.Time)) *ViewCache[T] {
	return &ViewCache[T]{published: published, produce: produce}
}

// Get returns what is kept, or makes it anew where that is no longer true.
func (c *ViewCache[T]) Get() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, now := c.published.Load(), time.Now()
	if c.from != v || !c.until.IsZero() && now.After(c.until) {
		c.made, c.until = c.produce(v, now)
		c.from = v
	}
	return c.made
}

// Forget drops what is kept, once another view has been published: it would not be given
// to any reader again. It does not wait: what is being made now is dropped the next time.
func (c *ViewCache[T]) Forget() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	var none T
	c.made, c.from = none, nil
}

// Empty reports whether nothing is kept.
func (c *ViewCache[T]) Empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.from == nil
}
