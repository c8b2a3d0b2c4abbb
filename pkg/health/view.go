package health

import (
	"slices"
	"time"
)

// View holds the results of all services, the override and the shutdown, as they apply at
// one moment: a result that expired before it is stale, and a grace that ended before it is
// over. Readers get no result in another way. A view is immutable and shared by all
// readers. It stays correct until [View.Until].
type View struct {
	snapshot
	asOf  time.Time // the moment
	until time.Time
}

// snapshot holds the latest results, whatever their age. It is not visible outside of this
// package.
type snapshot struct {
	time     time.Time
	results  []Result
	override Override
	draining bool
}

// at returns the view of the snapshot at a moment.
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
			grace = time.Time{} // a grace counts only after the fault is no longer held
		}
		for _, t := range []time.Time{r.Expires(), grace, scoped} {
			if !t.Before(now) && (v.until.IsZero() || t.Before(v.until)) {
				v.until = t
			}
		}
	}
	return v
}

// NewView returns the view at the moment now of results that are not from a [Monitor].
func NewView(now time.Time, results []Result, override Override, draining bool) *View {
	return snapshot{now, results, override, draining}.at(now)
}

// At returns the view of the same results at a later moment, for a reader that keeps a
// view. Until [View.Until], and for an earlier moment, it returns v without an allocation.
func (v *View) At(now time.Time) *View {
	if v.until.IsZero() || !now.After(v.until) {
		return v
	}
	return v.snapshot.at(now)
}

// Until returns until when the view stays correct without new results: the first moment at
// which a result goes stale, a grace ends or a finding expires. It is the zero time if
// there is no such moment.
func (v *View) Until() time.Time { return v.until }

// Time returns when the latest result, finding, override or shutdown was published.
func (v *View) Time() time.Time { return v.time }

// Results returns one result per service, in the order of the configuration. The slice is
// shared: do not change it.
func (v *View) Results() []Result { return v.results }

// Override returns the override, which decides readiness unless it is [NoOverride].
func (v *View) Override() Override { return v.override }

// mayHold reports whether a held fault can keep the Pod ready: there is no override and no
// shutdown.
func (v *View) mayHold() bool { return v.override == NoOverride && !v.draining }

// Draining reports whether the process is about to exit. The Pod is then not ready.
func (v *View) Draining() bool { return v.draining }

// Status returns the verdict on all services: unhealthy if a service whose readiness is not
// ignore is unhealthy or unknown, otherwise degraded if any is not healthy.
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

// CheckDuration returns the longest duration of the services' latest checks.
func (v *View) CheckDuration() time.Duration {
	var longest time.Duration
	for _, r := range v.results {
		longest = max(longest, r.Last.Duration())
	}
	return longest
}

// Docs returns the URL of the documentation of a reason of any of the services; empty if
// there is none.
func (v *View) Docs(r Reason) string {
	for _, result := range v.results {
		if docs := result.Service.Docs(r); docs != "" {
			return docs
		}
	}
	return ""
}

// Explain returns the message of a reason; empty for an empty reason.
func (v *View) Explain(r Reason) string {
	for _, result := range v.results {
		if text, known := result.Service.Kind.Explain(r); known {
			return text.Message
		}
	}
	text, _ := (*Kind)(nil).Explain(r)
	return text.Message
}
