package kube

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/health"
)

const (
	// defaultJitter leaves most of the five seconds within which a change is told.
	defaultJitter = 2 * time.Second
	// A Pod whose services flap reports changesAtOnce of the changes when they happen
	// and from then on the newest state every changePeriod.
	changesAtOnce = 10
	changePeriod  = 30 * time.Second
	// A write that failed is tried again after firstRetry and then ever later.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// confirmAfter is when the first condition after such trouble is written once more.
	confirmAfter = 10 * time.Second
	// maxRetryAfter is for how long an API server may send the reporter away.
	maxRetryAfter = 10 * time.Minute
	// stopTimeout bounds the last write: the process has 4.5 seconds to end.
	stopTimeout = 2 * time.Second
)

// Options are what a [Reporter] needs. All but Jitter are required.
type Options struct {
	// Client is from [NewClient].
	Client *rest.RESTClient
	// Pod is the sidecar's own one, and UID tells it from others of its name.
	Pod types.NamespacedName
	UID types.UID
	// Updates has the present snapshot and every new one; only the latest counts.
	Updates <-chan *health.Snapshot
	// Jitter bounds the random wait before a change is written, so that many Pods
	// that see the same outage do not all write at once. The default is 2 s; below
	// zero is none.
	Jitter time.Duration
	// Log gets each kind of trouble once. Errors are the API server's words: it must
	// redact.
	Log *slog.Logger
}

// Reporter keeps the Pod's condition at what the latest snapshot says, and writes an
// Event when a service's status changes: at most one request for each a change, and
// none while nothing changes.
type Reporter struct {
	options  Options
	writer   writer
	troubles troubles
	limit    *rate.Limiter

	latest    *health.Snapshot // as received
	snapshot  *health.Snapshot // as it is read now
	condition condition        // what it means

	written condition        // what the Pod has; its zero value, nothing of ours
	told    *health.Snapshot // what Events have told

	due       time.Time // of the next write; zero: nothing to write
	notBefore time.Time // by the API server's wish
	failures  int       // in a row
}

// NewReporter returns a reporter. It contacts nobody before Start.
func NewReporter(o Options) *Reporter {
	if o.Jitter == 0 {
		o.Jitter = defaultJitter
	}
	return &Reporter{
		options:  o,
		writer:   writer{client: o.Client, pod: o.Pod, uid: o.UID, repeats: make(map[event]*repeat)},
		troubles: troubles{log: o.Log, told: make(map[string]map[string]bool)},
		limit:    rate.NewLimiter(rate.Every(changePeriod), changesAtOnce),
	}
}

// Start reports until ctx is done, and then leaves the condition at Unknown, for
// which it takes two seconds at most. It never returns an error: whatever the API
// server does is no reason to stop the sidecar.
func (r *Reporter) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case r.latest = <-r.options.Updates:
		case <-timer.C:
		case <-ctx.Done():
			r.stop(ctx)
			return nil
		}
		timer.Reset(r.step(ctx, time.Now()))
	}
}

// step writes what is due and returns for how long there is nothing to do.
func (r *Reporter) step(ctx context.Context, now time.Time) time.Duration {
	if r.latest == nil {
		return changePeriod
	}
	r.read(now)
	switch {
	case !r.pending():
		r.due = time.Time{}
	case r.due.IsZero():
		r.due = r.schedule(now)
	}
	if !r.due.IsZero() && !now.Before(r.due) {
		r.write(ctx)
		now = time.Now()
	}
	return r.wait(now)
}

// read reads the latest snapshot anew: what it says may have gone stale meanwhile.
func (r *Reporter) read(now time.Time) {
	r.snapshot = r.latest.At(now)
	next := conditionOf(r.snapshot)
	switch next.status {
	case r.written.status:
		next.since = r.written.since
	case r.condition.status:
		next.since = r.condition.since
	default:
		next.since = now
	}
	r.condition = next
}

// pending reports whether the Pod does not say what it should.
func (r *Reporter) pending() bool {
	_, event := eventOf(r.told, r.snapshot)
	return event || !r.condition.says(r.written)
}

// schedule is when a change that was seen now is written: soon, at a random moment,
// unless much was written already.
func (r *Reporter) schedule(now time.Time) time.Time {
	var wait time.Duration
	if missing := 1 - r.limit.TokensAt(now); missing > 0 {
		wait = time.Duration(missing * float64(changePeriod))
	}
	if r.options.Jitter > 0 {
		wait += rand.N(r.options.Jitter)
	}
	return later(now.Add(wait), r.notBefore)
}

// wait is for how long there is nothing to do: until a write is due, or what the
// snapshot says has expired.
func (r *Reporter) wait(now time.Time) time.Duration {
	wait := changePeriod
	if !r.due.IsZero() {
		wait = min(wait, r.due.Sub(now))
	}
	if until := r.snapshot.Until(); !until.IsZero() {
		wait = min(wait, until.Sub(now)+time.Millisecond)
	}
	return wait
}

// write makes both writes, as far as they are needed: one that fails does not hold
// up the other.
func (r *Reporter) write(ctx context.Context) {
	var errCondition, errEvent error
	if !r.condition.says(r.written) {
		errCondition = r.writer.condition(ctx, r.condition)
		r.see(ctx, "condition", errCondition)
		if errCondition == nil {
			r.written = r.condition
		}
	}
	if e, ok := eventOf(r.told, r.snapshot); ok {
		errEvent = r.writer.event(ctx, e, time.Now())
		r.see(ctx, "event", errEvent)
	}
	if errEvent == nil {
		r.told = r.snapshot
	}
	r.next(errCondition, errEvent)
}

// see leaves out what ending the reporter did to a request.
func (r *Reporter) see(ctx context.Context, write string, err error) {
	if err == nil || ctx.Err() == nil {
		r.troubles.see(write, err)
	}
}

// next is when to try again, exponentially later, half of it at random, and not
// before the API server wants to be asked again.
func (r *Reporter) next(errCondition, errEvent error) {
	now := time.Now()
	if errCondition == nil && errEvent == nil {
		r.limit.AllowN(now, 1)
		r.due = time.Time{}
		if r.failures > 0 { // a request that was given up on may yet be carried out, after this one
			r.written, r.due = condition{}, now.Add(confirmAfter)
		}
		r.failures = 0
		return
	}
	r.notBefore = now.Add(min(retryAfter(errCondition, errEvent), maxRetryAfter))
	backoff := min(firstRetry<<min(r.failures, 10), lastRetry)
	r.failures++
	r.due = later(now.Add(backoff/2+rand.N(backoff)), r.notBefore)
}

// stop says that nothing watches the dependencies any more.
func (r *Reporter) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	last := stopped()
	last.since = time.Now()
	if err := r.writer.condition(ctx, last); err != nil {
		r.options.Log.Warn("pod condition left as it was", "error", err)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
