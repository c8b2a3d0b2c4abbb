package dependency

import "sync/atomic"

// Redialer says when a probe has to give up the connections that it keeps: when it is told
// to, since their age is up to the [health.Monitor].
type Redialer struct{ kept atomic.Bool }

// Redial implements [health.Redialer].
func (r *Redialer) Redial() { r.kept.Store(false) }

// Expired reports whether the connections that are open now are not to be used any more: as
// Redial was called since the last time, and the first time.
func (r *Redialer) Expired() bool { return !r.kept.Swap(true) }
