package health

import (
	"slices"
	"time"
)

// View is what is known of every service, with the age of each result applied at the
// moment at which the view was taken: a result that had expired is stale, and a grace
// that had run out is over. There is no way to read a verdict without that. A view is
// immutable and shared by all readers; it stays true up to [View.Until].
type View struct {
	snapshot
	asOf  time.Time // the moment at which it was taken
	until time.Time
}

// snapshot is what is known, whatever its age. It does not leave this package.
type snapshot struct {
	time     time.Time
	results  []Result
	override Override
	draining bool
}

// at reads the snapshot at a moment.
func (s snapshot) at(now time.Time) *View {
	v := &View{snapshot: s, asOf: now}
	v.results = slices.Clone(s.results)
	for i, r := range v.results {
		v.results[i] = r.At(now)
	}
	for _, r := range v.results {
		_, scoped, _ := r.scopeAt(now)
		grace := r.graceEnds(now)
		if v.mayHold() && r.held() {
			grace = time.Time{} // it counts from the end of the hold
		}
		for _, t := range []time.Time{r.Expires(), grace, scoped} {
			if !t.Before(now) && (v.until.IsZero() || t.Before(v.until)) {
				v.until = t
			}
		}
	}
	return v
}

// NewView returns a view, taken now, of results that came in by then. A [Monitor]
// makes its own; this is for results that were obtained in another way.
func NewView(now time.Time, results []Result, override Override, draining bool) *View {
	return snapshot{now, results, override, draining}.at(now)
}

// At is the same knowledge read at a later moment, for a reader that keeps a view. Up
// to [View.Until], and for a moment before the one at which the view was taken, it is
// the view itself and costs no allocation.
func (v *View) At(now time.Time) *View {
	if v.until.IsZero() || !now.After(v.until) {
		return v
	}
	return v.snapshot.at(now)
}

// Until is the moment up to which the view stays true on its own: the first at which a
// result goes stale, a grace runs out or what the peers told no longer counts. It is the
// zero time where nothing more will change.
func (v *View) Until() time.Time { return v.until }

// Time is when the latest of what is known came in: a result, an override or the
// shutdown.
func (v *View) Time() time.Time { return v.time }

// Results has one entry per service, in the order of the configuration. The slice is
// shared: do not change it.
func (v *View) Results() []Result { return v.results }

// Override decides readiness while it is not [NoOverride].
func (v *View) Override() Override { return v.override }

// mayHold reports whether a service can keep the Pod ready: nothing else decides.
func (v *View) mayHold() bool { return v.override == NoOverride && !v.draining }

// Draining reports whether the process is about to exit: not ready, whatever else.
func (v *View) Draining() bool { return v.draining }

// Status is the verdict over all services: unhealthy when one that matters for
// readiness is unhealthy or unknown, else degraded when any is not healthy.
func (v *View) Status() Status {
	overall := Healthy
	for _, r := range v.results {
		switch {
		case !r.OK() && r.Service.Readiness != PolicyIgnore:
			return Unhealthy
		case r.Status != Healthy:
			overall = Degraded
		}
	}
	return overall
}

// Service returns the result of the service with that name.
func (v *View) Service(name string) (Result, bool) {
	for _, r := range v.results {
		if r.Service.Name == name {
			return r, true
		}
	}
	return Result{}, false
}

// CheckDuration is the longest of the latest checks.
func (v *View) CheckDuration() time.Duration {
	var longest time.Duration
	for _, r := range v.results {
		longest = max(longest, r.Last.Duration())
	}
	return longest
}

// Docs returns the address of the text on a reason of any of the services; empty where there is
// none.
func (v *View) Docs(r Reason) string {
	for _, result := range v.results {
		if docs := result.Service.Docs(r); docs != "" {
			return docs
		}
	}
	return ""
}

// Explain returns a reason in plain words; empty for none.
func (v *View) Explain(r Reason) string {
	for _, result := range v.results {
		if text, known := result.Service.Kind.Explain(r); known {
			return text.Message
		}
	}
	text, _ := (*Kind)(nil).Explain(r)
	return text.Message
}
