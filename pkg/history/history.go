package history

import (
	"math"
	"slices"
	"sync"
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
// adds to it; everything else may be called at any time, by any goroutine.
type History struct {
	last *health.View // what Observe saw last; its own

	mu      sync.Mutex // held while slices are copied or added to
	samples map[string]*samples
	changes map[string][]health.Change
}

// New returns an empty history of those services.
func New(services []*health.Service) *History {
	h := &History{samples: map[string]*samples{}, changes: map[string][]health.Change{}}
	for _, s := range services {
		h.samples[s.Name] = &samples{reasons: health.Reasons(s.Kind), latest: make([]sample, 0, Capacity)}
	}
	return h
}

// Observe remembers what is new in a view, and what the one before turned into by
// age alone: a result that went stale, a grace that ran out. It must be called with
// every one, in order, as [health.Monitor.Subscribe] does. It waits at most for a reader's
// copy of one service's samples.
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
		h.addChange(Readiness, health.Change{Time: now, From: word(before), To: word(after), Reason: why(after)})
	}
}

func (h *History) observe(now time.Time, was, is health.Result) {
	name := is.Service.Name
	if is.Checks != was.Checks {
		h.addSample(name, sampleOf(is))
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
	h.addChange(name, health.Change{
		Time: since, From: was.Status.String(), To: is.Status.String(), Reason: is.Reason(),
	})
}

func sampleOf(r health.Result) health.Sample {
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
	s := h.samples[service]
	if s == nil {
		return nil
	}
	h.mu.Lock()
	kept := slices.Concat(s.latest[s.oldest:], s.latest[:s.oldest])
	h.mu.Unlock()
	var found []health.Sample
	for i, k := range kept {
		if time.UnixMilli(k.time).Before(since) {
			continue
		}
		if found == nil {
			found = make([]health.Sample, 0, len(kept)-i)
		}
		found = append(found, s.unpack(k))
	}
	return found
}

// Changes returns those of a service, or of [Readiness], from a moment on, the oldest
// first. The slice is the caller's.
func (h *History) Changes(service string, since time.Time) []health.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.changes[service]
	first := slices.IndexFunc(all, func(c health.Change) bool { return !c.Time.Before(since) })
	if first < 0 {
		return nil
	}
	return slices.Clone(all[first:])
}

// addChange keeps changes in order of time: one that a clock set back would date before
// the latest gets the time of that.
func (h *History) addChange(name string, change health.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.changes[name]
	if n := len(all); n > 0 && change.Time.Before(all[n-1].Time) {
		change.Time = all[n-1].Time
	}
	if len(all) == maxChanges {
		all = slices.Delete(all, 0, 1)
	}
	h.changes[name] = append(all, change)
}

// samples are the latest of one service. They are in order of time, as changes are.
type samples struct {
	reasons []health.Reason // that the service's faults can have
	latest  []sample
	oldest  int // the place of the oldest in latest, which is overwritten next
}

// sample is a [health.Sample] in 16 bytes rather than 64.
type sample struct {
	time    int64  // in Unix milliseconds
	latency uint32 // in microseconds, rounded up: zero is no answer
	status  uint8
	reason  uint8 // its place in reasons, from 1 on; 0 is none
}

func (h *History) addSample(name string, added health.Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.samples[name]
	packed := s.pack(added)
	if n := len(s.latest); n > 0 {
		packed.time = max(packed.time, s.latest[(s.oldest+n-1)%n].time)
	}
	if len(s.latest) < Capacity {
		s.latest = append(s.latest, packed)
		return
	}
	s.latest[s.oldest] = packed
	s.oldest = (s.oldest + 1) % Capacity
}

func (s *samples) pack(added health.Sample) sample {
	latency := (added.Latency + time.Microsecond - 1) / time.Microsecond
	return sample{
		time:    added.Time.UnixMilli(),
		latency: uint32(min(latency, math.MaxUint32)), //nolint:gosec // never negative
		status:  uint8(added.Status),
		reason:  uint8(slices.Index(s.reasons, added.Reason) + 1), //nolint:gosec // a place in a short list
	}
}

func (s *samples) unpack(k sample) health.Sample {
	unpacked := health.Sample{
		Time: time.UnixMilli(k.time), Status: health.Status(k.status), Latency: time.Duration(k.latency) * time.Microsecond,
	}
	if k.reason > 0 {
		unpacked.Reason = s.reasons[k.reason-1]
	}
	return unpacked
}
