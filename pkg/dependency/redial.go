package dependency

import "sync/atomic"

// Redialer stores that Redial was called, which [health.Monitor] does when connections are too
// old.
type Redialer struct{ kept atomic.Bool }

// Redial implements [health.Redialer].
func (r *Redialer) Redial() { r.kept.Store(false) }

// Expired reports whether the open connections must not be used: it is true on the first call,
// and on the first call after each Redial.
func (r *Redialer) Expired() bool { return !r.kept.Swap(true) }
