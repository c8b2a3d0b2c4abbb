package kube

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

const (
	// A Pod whose services flap reports changesAtOnce of the changes when they happen
	// and from then on the newest state every changePeriod.
	changesAtOnce = 10
	changePeriod  = 30 * time.Second
	// A write that failed is tried again after firstRetry and then ever later.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// maxRetryAfter bounds how long the API server can make the reporter wait.
	maxRetryAfter = 10 * time.Minute
)

// delivery decides when one of the two writes is attempted: soon after there is something
// to write, within a rate limit, and with growing delays while attempts fail. A change
// that is undone and comes back does not reset limit or delays.
type delivery struct {
	limit     *rate.Limiter // of attempts, successful or not
	due       time.Time     // of the next attempt; zero: nothing to write
	failures  int           // in a row
	retryAt   time.Time     // after a failure
	notBefore time.Time     // as the API server asked
}

func newDelivery() delivery {
	return delivery{limit: rate.NewLimiter(rate.Every(changePeriod), changesAtOnce)}
}

// plan takes whether there is something to write now. The time of the attempt does not
// change until the attempt is made, or no longer needed.
func (d *delivery) plan(pending bool, now time.Time, jitter time.Duration) {
	switch {
	case !pending:
		d.due = time.Time{}
	case d.due.IsZero():
		d.due = now.Add(jitter)
		if missing := 1 - d.limit.TokensAt(now); missing > 0 {
			d.due = d.due.Add(time.Duration(missing * float64(changePeriod)))
		}
		d.due = later(d.due, later(d.retryAt, d.notBefore))
	}
}

func (d *delivery) isDue(now time.Time) bool { return !d.due.IsZero() && !now.Before(d.due) }

// failing reports whether there is something to write that could not be written yet.
func (d *delivery) failing() bool { return !d.due.IsZero() && d.failures > 0 }

// attempted takes the outcome of an attempt. After a failure the next one waits for an
// exponential backoff with jitter.
func (d *delivery) attempted(now time.Time, err error) {
	d.limit.ReserveN(now, 1)
	d.due = time.Time{}
	if err == nil {
		d.failures = 0
		return
	}
	backoff := min(firstRetry<<min(d.failures, 10), lastRetry)
	d.failures++
	d.retryAt = now.Add(backoff/2 + rand.N(backoff))
	d.notBefore = now.Add(min(retryAfter(err), maxRetryAfter))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
