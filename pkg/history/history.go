package history

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const (
	// Capacity is how many samples are kept of each service: the last hour of a
	// service that is probed once a second, the fastest pace that makes sense. With a
	// shorter interval it is less than an hour. At 16 bytes each, four services take
	// 260 kB, in memory that is not touched before it is needed: at the default
	// intervals, 35 kB. Changes add 50 kB at most.
	Capacity = 3600
	// maxChanges is how many changes are kept of each service, and of readiness: one
	// that never settles crowds out its own, not those of the others.
	maxChanges = 128
)

// Readiness is the name under which the changes of readiness are kept. No service is
// called so.
const Readiness = ""

// History is what happened to every service of a monitor, and to readiness. Observe
// adds to it; everything else may be called at any time and holds up nobody.
type History struct {
	samples map[string]*ring
	changes map[string]*changes
	last    *health.View // what Observe saw last; its own
}

// New returns an empty history of those services.
func New(services []*health.Service) *History {
	h := &History{samples: map[string]*ring{}, changes: map[string]*changes{Readiness: {}}}
	for _, s := range services {
		h.samples[s.Name], h.changes[s.Name] = newRing(s.Kind), &changes{}
	}
	return h
}

// Observe remembers what is new in a view, and what the one before turned into by
// age alone: a result that went stale, a grace that ran out. It must be called with
// every one, in order, as [health.Monitor.Subscribe] does; it does not block.
func (h *History) Observe(v *health.View) {
	last := h.last
	h.last = v
	if last == nil {
		return
	}
	for until := last.Until(); !until.IsZero() && until.Before(v.Time()); until = last.Until() {
		aged := last.At(until.Add(1))
		h.compare(until, last, aged)
		last = aged
	}
	h.compare(v.Time(), last, v)
}

// compare remembers how a view differs from the one before.
func (h *History) compare(now time.Time, was, is *health.View) {
	for i, r := range is.Results() {
		h.observe(now, was.Results()[i], r)
	}
	before, after := was.Readiness(), is.Readiness()
	if before.Ready != after.Ready {
		h.changes[Readiness].add(health.Change{Time: now, From: word(before), To: word(after), Reason: why(after)})
	}
}

func (h *History) observe(now time.Time, was, is health.Result) {
	name := is.Service.Name
	if is.Checks != was.Checks {
		h.samples[name].add(sample(is))
	}
	since := is.Since
	if since.Before(was.Since) { // restored: before this process began, it saw nothing
		since = now
	}
	if is.Status == was.Status {
		if is.Reason() == was.Reason() {
			return
		}
		since = now
	}
	h.changes[name].add(health.Change{
		Time: since, From: was.Status.String(), To: is.Status.String(), Reason: is.Reason(),
	})
}

func sample(r health.Result) health.Sample {
	s := health.Sample{Time: r.Last.Finished, Status: r.Status, Latency: r.Last.Observation.Latency}
	if r.Last.Fault != nil {
		s.Reason = r.Last.Fault.Reason
	}
	return s
}

func word(r health.Readiness) string {
	if r.Ready {
		return "ready"
	}
	return "not_ready"
}

// why is the reason of what decided: an override or the shutdown, else the first
// service that stands in the way.
func why(r health.Readiness) health.Reason {
	if len(r.Causes) == 0 {
		return ""
	}
	if last := r.Causes[len(r.Causes)-1]; last.Ours() {
		return last.Reason
	}
	blocks := slices.IndexFunc(r.Causes, func(c health.Cause) bool { return !c.Grace })
	return r.Causes[max(blocks, 0)].Reason
}

// Samples returns what the checks of a service came to from a moment on, the oldest
// first; nil for a service that it does not know. The slice is the caller's.
func (h *History) Samples(service string, since time.Time) []health.Sample {
	if r := h.samples[service]; r != nil {
		return r.since(since)
	}
	return nil
}

// Changes returns those of a service, or of [Readiness], from a moment on, the oldest
// first. The slice is shared: do not change it.
func (h *History) Changes(service string, since time.Time) []health.Change {
	if c := h.changes[service]; c != nil {
		return c.since(since)
	}
	return nil
}

// changes is replaced as a whole with each one, so that readers share it as it is:
// changes are rare. They are in order of time: one that a clock set back would date
// before the latest gets the time of that.
type changes struct {
	all atomic.Pointer[[]health.Change]
}

func (c *changes) add(change health.Change) {
	var old []health.Change
	if all := c.all.Load(); all != nil {
		old = (*all)[max(0, len(*all)+1-maxChanges):]
		if latest := old[len(old)-1].Time; change.Time.Before(latest) {
			change.Time = latest
		}
	}
	all := append(append(make([]health.Change, 0, len(old)+1), old...), change)
	c.all.Store(&all)
}

func (c *changes) since(from time.Time) []health.Change {
	all := c.all.Load()
	if all == nil {
		return nil
	}
	first := slices.IndexFunc(*all, func(c health.Change) bool { return !c.Time.Before(from) })
	if first < 0 {
		return nil
	}
	return (*all)[first:]
}
