package history

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const (
	// Capacity is the number of samples per service: the last hour of a
	// service that is checked once per second, the shortest useful interval. With a
	// shorter interval it is less than an hour. At 16 bytes each, four services take
	// 260 kB of memory, which is allocated only when it is used: at the default
	// intervals, 35 kB. Changes add at most 50 kB.
	Capacity = 3600
	// maxChanges is the number of changes per service, and of readiness: one
	// that changes all the time drops only its own older changes.
	maxChanges = 128
)

// Readiness is the name for the changes of readiness. No service has
// this name.
const Readiness = ""

// History has the samples and changes of every service of a monitor, and of readiness. Observe
// adds to it; all other methods are safe for concurrent use.
type History struct {
	last *health.View // the view that Observe saw last; only Observe uses it

	mu      sync.Mutex // held while slices are copied or extended
	samples map[string]*samples
	changes map[string][]health.Change
}

// New returns an empty history of the given services.
func New(services []*health.Service) *History {
	h := &History{samples: map[string]*samples{}, changes: map[string][]health.Change{}}
	for _, s := range services {
		h.samples[s.Name] = &samples{reasons: health.Reasons(s.Kind), latest: make([]sample, 0, Capacity)}
	}
	return h
}

// Observe stores the new results of a view, and changes of the previous one by
// age alone: an expired result or an expired grace. It must be called with
// every view, in order, as [health.Monitor.Subscribe] does. It waits at most for a reader's
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

// compare stores the differences between a view and the previous one.
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
	if since.Before(was.Since) { // restored: this process has seen nothing before its start
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

// why returns the reason for the readiness: an override or the shutdown, else the first
// service that prevents it.
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

// Samples returns the results of a service's checks since a time, the oldest
// first; nil for an unknown service. The caller owns the slice.
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

// Changes returns the changes of a service, or of [Readiness], since a time, the oldest
// first. The caller owns the slice.
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

// addChange adds a change. If the clock was set back and the change would be before
// the latest one, it gets the time of that one.
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

// samples are the latest samples of one service, in order of time.
type samples struct {
	reasons []health.Reason // all reasons of the service's kind
	latest  []sample
	oldest  int // index of the oldest in latest, which is overwritten next
}

// sample is a [health.Sample] in 16 bytes rather than 64.
type sample struct {
	time    int64  // in Unix milliseconds
	latency uint32 // in microseconds, rounded up; 0 without an answer
	status  uint8
	reason  uint8 // index in reasons plus 1; 0 for none
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
		reason:  uint8(slices.Index(s.reasons, added.Reason) + 1), //nolint:gosec // an index in a short list
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
