package kube

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/health"
)

const (
	// writesPerSecond is the number of requests of each kind that all Pods of the workload may send
	// in one outage. The API server can be slow, so below about a thousand Pods they still
	// take minSpread, which leaves most of the five seconds within which a change is
	// reported.
	writesPerSecond = 500
	minSpread       = 2 * time.Second
	maxSpread       = time.Minute
	// decisionWait is the longest time for which a write waits while the peers are asked about a fault.
	decisionWait = 3 * time.Second
	// confirmAfter is the time after which a condition is written once more after a patch of unknown
	// outcome.
	confirmAfter = 10 * time.Second
	// stopTimeout bounds the last write: the process has 4.5 seconds for its shutdown.
	stopTimeout = 2 * time.Second
)

// Observer counts the results of the two writes, "condition" and "event". It must not
// block.
type Observer interface {
	// Attempted is called after each attempt.
	Attempted(write string, err error)
	// Failing reports whether there is something to write whose latest attempt
	// failed.
	Failing(write string, failing bool)
}

// Options are the options of a [Reporter]. All except Pods, Jitter and Observer are required.
type Options struct {
	// Client is from [NewClient].
	Client *rest.RESTClient
	// Pod is the sidecar's own Pod; UID distinguishes it from others of the same name.
	Pod types.NamespacedName
	UID types.UID
	// Updates has the current view and every new one; only the latest counts.
	Updates <-chan *health.View
	// Pods, if set, returns the known number of the workload's Pods. It must
	// not block.
	Pods func() int
	// Jitter bounds the random wait before a change is written, so that many Pods
	// that see the same outage do not all write at once. The default keeps them
	// below 500 writes of each kind per second: 2 s up to 1,000 Pods, then one more second
	// per 500 Pods, and at most a minute. A negative value means none.
	Jitter time.Duration
	// Observer, if set, is called with the outcome of each write.
	Observer Observer
	// Log receives each kind of failure once. Errors contain the API server's text: the logger
	// must redact.
	Log *slog.Logger
}

// Reporter keeps the Pod's condition equal to the latest view, and writes an Event when a
// service's status changes: at most one write of each kind per change, and none while nothing
// changes. Neither waits for the other.
type Reporter struct {
	options  Options
	writer   writer
	failures failureLog

	latest         *health.View // as received
	view           *health.View // as it is read now
	desired        condition    // the condition of that view
	undecidedSince time.Time    // since when the peers are asked about a fault; zero if they are not

	conditions delivery
	written    condition // the Pod's condition; zero before the first write
	// uncertainSince is set while a patch of unknown outcome may have changed the Pod's
	// condition to something other than written. Zero: it cannot have.
	uncertainSince time.Time

	events   delivery
	reported *health.View // the view of the last Event
}

// NewReporter returns a reporter. It sends no request before Start.
func NewReporter(o Options) *Reporter {
	return &Reporter{
		options:  o,
		writer:   writer{client: o.Client, pod: o.Pod, uid: o.UID, repeats: make(map[event]*repeat)},
		failures: failureLog{log: o.Log, logged: make(map[string]map[string]bool)},

		conditions: newDelivery(), events: newDelivery(),
	}
}

// Start reports until ctx is done, and then sets the condition to Unknown, which
// takes at most two seconds. It never returns an error: no answer of the API
// server is a reason to stop the sidecar.
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
		timer.Reset(r.step(ctx))
	}
}

// step makes at most one write, of the present state, and returns how long to wait until
// the next step.
func (r *Reporter) step(ctx context.Context) time.Duration {
	now := time.Now()
	if r.read(now); r.latest == nil {
		return changePeriod
	}
	jitter := r.jitter()
	r.conditions.plan(!r.desired.equals(r.written) || r.uncertain(now), now, jitter)
	e, changed := eventOf(r.reported, r.view)
	r.events.plan(changed, now, jitter)
	switch held := now.Before(r.decisionDeadline()); {
	case !held && r.conditions.isDue(now):
		r.writeCondition(ctx)
	case !held && r.events.isDue(now):
		r.writeEvent(ctx, e)
	default:
		r.observe()
		return r.wait(now)
	}
	return 0
}

// decisionDeadline returns the time until which nothing is written, since the peers are asked about a
// fault and their answers would cause another write. It is zero if they are not asked.
func (r *Reporter) decisionDeadline() time.Time {
	if r.undecidedSince.IsZero() {
		return time.Time{}
	}
	return r.undecidedSince.Add(decisionWait)
}

// observe reports to the Observer whether the pending writes fail.
func (r *Reporter) observe() {
	if o := r.options.Observer; o != nil {
		o.Failing("condition", r.conditions.failing())
		o.Failing("event", r.events.failing())
	}
}

func (r *Reporter) jitter() time.Duration {
	switch j := r.options.Jitter; {
	case j < 0:
		return 0
	case j > 0:
		return rand.N(j)
	case r.options.Pods == nil:
		return rand.N(minSpread)
	}
	return rand.N(spread(r.options.Pods()))
}

// spread returns the time over which the given number of Pods spread the writes of a change.
func spread(pods int) time.Duration {
	return min(max(minSpread, time.Duration(pods)*time.Second/writesPerSecond), maxSpread)
}

// read receives the latest view, and computes it for the current time: its results
// may have expired.
func (r *Reporter) read(now time.Time) {
	for more := true; more; {
		select {
		case r.latest = <-r.options.Updates:
		default:
			more = false
		}
	}
	if r.latest == nil {
		return
	}
	r.view = r.latest.At(now)
	switch {
	case !undecided(r.view):
		r.undecidedSince = time.Time{}
	case r.undecidedSince.IsZero():
		r.undecidedSince = now
	}
	next := conditionOf(r.view)
	switch next.status {
	case r.written.status:
		next.since = r.written.since
	case r.desired.status:
		next.since = r.desired.since
	default:
		next.since = now
	}
	r.desired = next
}

func (r *Reporter) uncertain(now time.Time) bool {
	return !r.uncertainSince.IsZero() && !now.Before(r.uncertainSince)
}

// wait returns the time until the next step: until a write is due, a condition must be
// confirmed, or a result of the view expires.
func (r *Reporter) wait(now time.Time) time.Duration {
	wait := changePeriod
	expired := r.view.Until().Add(time.Millisecond)
	for _, at := range []time.Time{r.conditions.due, r.events.due, r.uncertainSince, r.decisionDeadline(), expired} {
		if at.After(now) {
			wait = min(wait, at.Sub(now))
		}
	}
	return wait
}

func (r *Reporter) writeCondition(ctx context.Context) {
	err := r.writer.condition(ctx, r.desired)
	now := time.Now()
	switch {
	case err == nil:
		r.written = r.desired
		r.settle(now)
	case !refused(err):
		r.uncertainSince = now
	}
	r.conditions.attempted(now, err)
	r.record(ctx, "condition", err)
}

// settle ends an uncertainty after a successful patch. The API server may still apply
// an earlier request whose answer was lost, so after failures one more patch is due.
func (r *Reporter) settle(now time.Time) {
	switch {
	case !r.uncertain(now):
	case r.conditions.failures > 0:
		r.uncertainSince = now.Add(confirmAfter)
	default:
		r.uncertainSince = time.Time{}
	}
}

func (r *Reporter) writeEvent(ctx context.Context, e event) {
	err := r.writer.event(ctx, e, time.Now())
	if err == nil {
		r.reported = r.view
	}
	r.events.attempted(time.Now(), err)
	r.record(ctx, "event", err)
}

// record records the result of a write, unless the reporter's shutdown interrupted it.
func (r *Reporter) record(ctx context.Context, write string, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	r.failures.record(write, err)
	if o := r.options.Observer; o != nil {
		o.Attempted(write, err)
	}
}

// stop writes the condition of a stopped sidecar. It writes nothing if no condition
// was ever written, or before the time that the API server asked for.
func (r *Reporter) stop(ctx context.Context) {
	now := time.Now()
	if r.written.status == "" && r.uncertainSince.IsZero() || now.Before(r.conditions.notBefore) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	last := stopped()
	last.since = now
	if err := r.writer.condition(ctx, last); err != nil {
		level := slog.LevelWarn
		if r.failures.contains("condition", err) {
			level = slog.LevelDebug
		}
		r.options.Log.Log(ctx, level, "pod condition left as it was", "error", err)
	}
}
