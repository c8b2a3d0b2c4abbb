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
	// defaultJitter leaves most of the five seconds within which a change is told.
	defaultJitter = 2 * time.Second
	// confirmAfter is when a condition that follows a doubtful one is written once more.
	confirmAfter = 10 * time.Second
	// stopTimeout bounds the last write: the process has 4.5 seconds to end.
	stopTimeout = 2 * time.Second
)

// Observer counts what becomes of the two writes, "condition" and "event". It must not
// block.
type Observer interface {
	// Attempted is called after each attempt.
	Attempted(write string, err error)
	// Failing is called with whether there is something to write whose latest attempt
	// failed.
	Failing(write string, failing bool)
}

// Options are what a [Reporter] needs. All but Jitter and Observer are required.
type Options struct {
	// Client is from [NewClient].
	Client *rest.RESTClient
	// Pod is the sidecar's own one, and UID tells it from others of its name.
	Pod types.NamespacedName
	UID types.UID
	// Updates has the present view and every new one; only the latest counts.
	Updates <-chan *health.View
	// Jitter bounds the random wait before a change is written, so that many Pods
	// that see the same outage do not all write at once. The default is 2 s; below
	// zero is none.
	Jitter time.Duration
	// Observer, where there is one, is told how reporting goes.
	Observer Observer
	// Log gets each kind of trouble once. Errors are the API server's words: it must
	// redact.
	Log *slog.Logger
}

// Reporter keeps the Pod's condition at what the latest view says, and writes an
// Event when a service's status changes: at most one of each for a change, and none
// while nothing changes. Neither waits for the other.
type Reporter struct {
	options  Options
	writer   writer
	troubles troubles

	latest *health.View // as received
	view   *health.View // as it is read now
	wanted condition    // what that means

	conditions delivery
	written    condition // what the Pod has; its zero value: nothing of ours
	// doubt is from when on the Pod may have something else than what was written, by
	// a patch that nobody knows the end of. Zero: it has not.
	doubt time.Time

	events delivery
	told   *health.View // what Events have told
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

		conditions: newDelivery(), events: newDelivery(),
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
		timer.Reset(r.step(ctx))
	}
}

// step makes one write at most, of what is so at that moment, and returns for how long
// there is nothing to do.
func (r *Reporter) step(ctx context.Context) time.Duration {
	now := time.Now()
	if r.read(now); r.latest == nil {
		return changePeriod
	}
	jitter := r.jitter()
	r.conditions.plan(!r.wanted.says(r.written) || r.inDoubt(now), now, jitter)
	e, changed := eventOf(r.told, r.view)
	r.events.plan(changed, now, jitter)
	switch {
	case r.conditions.isDue(now):
		r.writeCondition(ctx)
	case r.events.isDue(now):
		r.writeEvent(ctx, e)
	default:
		r.observe()
		return r.wait(now)
	}
	return 0
}

// observe tells whether what is still to be written could not be.
func (r *Reporter) observe() {
	if o := r.options.Observer; o != nil {
		o.Failing("condition", r.conditions.failing())
		o.Failing("event", r.events.failing())
	}
}

func (r *Reporter) jitter() time.Duration {
	if r.options.Jitter < 0 {
		return 0
	}
	return rand.N(r.options.Jitter)
}

// read reads the latest view anew: there may be another by now, and what it says
// may have gone stale.
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
	next := conditionOf(r.view)
	switch next.status {
	case r.written.status:
		next.since = r.written.since
	case r.wanted.status:
		next.since = r.wanted.since
	default:
		next.since = now
	}
	r.wanted = next
}

func (r *Reporter) inDoubt(now time.Time) bool { return !r.doubt.IsZero() && !now.Before(r.doubt) }

// wait is for how long there is nothing to do: until a write is due, or in doubt, or
// what the view says has expired.
func (r *Reporter) wait(now time.Time) time.Duration {
	wait := changePeriod
	expired := r.view.Until().Add(time.Millisecond)
	for _, at := range []time.Time{r.conditions.due, r.events.due, r.doubt, expired} {
		if at.After(now) {
			wait = min(wait, at.Sub(now))
		}
	}
	return wait
}

func (r *Reporter) writeCondition(ctx context.Context) {
	err := r.writer.condition(ctx, r.wanted)
	now := time.Now()
	switch {
	case err == nil:
		r.written = r.wanted
		r.settle(now)
	case !refused(err):
		r.doubt = now
	}
	r.conditions.attempted(now, err)
	r.see(ctx, "condition", err)
}

// settle ends a doubt. A request that was given up on may be carried out after the one
// that followed it, so the first that succeeds is not the last.
func (r *Reporter) settle(now time.Time) {
	switch {
	case !r.inDoubt(now):
	case r.conditions.failures > 0:
		r.doubt = now.Add(confirmAfter)
	default:
		r.doubt = time.Time{}
	}
}

func (r *Reporter) writeEvent(ctx context.Context, e event) {
	err := r.writer.event(ctx, e, time.Now())
	if err == nil {
		r.told = r.view
	}
	r.events.attempted(time.Now(), err)
	r.see(ctx, "event", err)
}

// see leaves out what ending the reporter did to a request.
func (r *Reporter) see(ctx context.Context, write string, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	r.troubles.see(write, err)
	if o := r.options.Observer; o != nil {
		o.Attempted(write, err)
	}
}

// stop says that nothing watches the dependencies any more, unless nothing ever said
// that something does, or the API server wants to be left in peace.
func (r *Reporter) stop(ctx context.Context) {
	now := time.Now()
	if r.written.status == "" && r.doubt.IsZero() || now.Before(r.conditions.notBefore) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	last := stopped()
	last.since = now
	if err := r.writer.condition(ctx, last); err != nil {
		level := slog.LevelWarn
		if r.troubles.knows("condition", err) {
			level = slog.LevelDebug
		}
		r.options.Log.Log(ctx, level, "pod condition left as it was", "error", err)
	}
}
