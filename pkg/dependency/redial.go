package dependency

import "sync/atomic"

// Redialer remembers that Redial was called. The [health.Monitor] decides when connections are
// too old.
type Redialer struct{ kept atomic.Bool }

// Redial implements [health.Redialer].
func (r *Redialer) Redial() { r.kept.Store(false) }

// Expired reports whether the connections that are open now are not to be used any more: it is
// true on the first call, and on the first one after each Redial.
func (r *Redialer) Expired() bool { return !r.kept.Swap(true) }
