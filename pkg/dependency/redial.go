package dependency

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// connLifetime is the age at which a connection is replaced: DNS, TLS and the
// login are only proven by dialling.
const connLifetime = time.Minute

// Redialer says when a probe has to give up the connections that it keeps.
// Only Redial may be called beside the other methods.
type Redialer struct {
	asked atomic.Bool
	due   time.Time
}

// Redial implements [health.Redialer].
func (r *Redialer) Redial() { r.asked.Store(true) }

// Expired reports whether the connections that are open at now are not to be used
// any more. If so, a new lifetime begins: a minute, less up to a sixth, so that a
// fleet that was started at once does not dial at once for ever.
func (r *Redialer) Expired(now time.Time) bool {
	if !r.asked.Swap(false) && now.Before(r.due) {
		return false
	}
	r.due = now.Add(connLifetime - rand.N(connLifetime/6))
	return true
}
