package kube

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

const (
	// A Pod whose services flap reports the first changesAtOnce changes at once,
	// and then the newest state every changePeriod.
	changesAtOnce = 10
	changePeriod  = 30 * time.Second
	// A failed write is tried again after firstRetry, and then with growing delays up to lastRetry.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// maxRetryAfter bounds how long the API server can make the reporter wait.
	maxRetryAfter = 10 * time.Minute
)

// delivery decides when one of the two writes is attempted: soon after there is something
// to write, within a rate limit, and with growing delays while attempts fail. A change
// that is undone and comes back does not reset the limit or the delays.
type delivery struct {
	limit     *rate.Limiter // of attempts, successful or not
	due       time.Time     // of the next attempt; zero: nothing to write
	failures  int           // in a row
	retryAt   time.Time     // after a failure
	notBefore time.Time     // from the API server's Retry-After
}

func newDelivery() delivery {
	return delivery{limit: rate.NewLimiter(rate.Every(changePeriod), changesAtOnce)}
}

// plan schedules the next attempt if there is something to write. The time of the attempt does not
// change until the attempt is made or no longer needed.
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

// attempted records the result of an attempt. After a failure the next one waits for an
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
