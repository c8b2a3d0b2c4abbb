package health

import (
	"slices"
	"time"
)

// Snapshot is what is known of every service at a moment. It is immutable and
// shared by all readers.
type Snapshot struct {
	// Time is when it was taken: when the latest result came in.
	Time time.Time
	// Results has one entry a service, in the order of the configuration.
	Results []Result
	// Override decides readiness while it is set.
	Override Override
	// Draining says that the process is about to exit: not ready, whatever else.
	Draining bool

	asOf time.Time // the moment that the verdicts are read at
}

// At is the same knowledge read at a later moment: results that have expired are
// stale, graces that have run out are over. Readers that keep a snapshot call it
// before they look.
func (s *Snapshot) At(now time.Time) *Snapshot {
	read := *s
	read.Results = slices.Clone(s.Results)
	read.readAt(now)
	return &read
}

func (s *Snapshot) readAt(now time.Time) {
	s.asOf = now
	for i, r := range s.Results {
		s.Results[i] = r.At(now)
	}
}

// Until is the moment up to which the snapshot, as it is read now, stays true on
// its own: the first at which a result goes stale or a grace runs out. It is the
// zero time where nothing more will change.
func (s *Snapshot) Until() time.Time {
	var until time.Time
	for _, r := range s.Results {
		for _, t := range []time.Time{r.Expires(), r.graceEnds()} {
			if !t.Before(s.asOf) && (until.IsZero() || t.Before(until)) {
				until = t
			}
		}
	}
	return until
}

// Status is the verdict over all services: unhealthy when one that matters for
// readiness is unhealthy or unknown, else degraded when any is not healthy.
func (s *Snapshot) Status() Status {
	overall := Healthy
	for _, r := range s.Results {
		switch {
		case !r.OK() && r.Service.Readiness != Ignore:
			return Unhealthy
		case r.Status != Healthy:
			overall = Degraded
		}
	}
	return overall
}

// Service returns the result of the service with that name.
func (s *Snapshot) Service(name string) (Result, bool) {
	for _, r := range s.Results {
		if r.Service.Name == name {
			return r, true
		}
	}
	return Result{}, false
}

// CheckDuration is the longest of the latest checks.
func (s *Snapshot) CheckDuration() time.Duration {
	var longest time.Duration
	for _, r := range s.Results {
		longest = max(longest, r.Last.Duration())
	}
	return longest
}
