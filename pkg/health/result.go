package health

import "time"

// Result is one service's verdict and the history that it rests on. It is an
// immutable value: [Result.Next] returns the one that follows. Nothing in it
// reads a clock; time comes in with the outcomes and with [Result.At].
type Result struct {
	Service *Service
	// Status is the verdict, Since the moment from which it holds. Before the first
	// result they are Unknown and the moment at which watching began.
	Status Status
	Since  time.Time
	// Last is the latest outcome that counted; its zero value, none yet.
	Last Outcome
	// LastSuccess is the end of the latest check that found the service healthy.
	LastSuccess time.Time
	// LastUsable is the start of the latest check that found it healthy or degraded.
	LastUsable time.Time
	// ConsecutiveFailures counts the latest results in a row that were not healthy.
	ConsecutiveFailures int
	// Proven says that a check since start-up found the service usable, or one of an
	// earlier process of the same Pod. It never goes back.
	Proven bool
	// Checks counts the outcomes that counted, Discarded the ones thrown away
	// because this process was starved of CPU.
	Checks, Discarded uint64
	// Scope says whose the present fault is, at the moment for which the result is read,
	// and Finding what the peers told of it; both are zero where there is no fault or
	// where none are asked.
	Scope   Scope
	Finding Finding

	released time.Time // when the present fault was last no longer shared
	began    time.Time
	// failing is, until the first result, since when the service was unhealthy
	// before this process began: the zero time where it was not.
	failing time.Time
	level   Status        // of the latest outcome
	worse   [4]int        // results in a row at least as bad as each status
	good    [4]int        // results in a row at most as bad as each status
	cause   [4]*Fault     // the latest fault of each status
	stale   time.Duration // age past which the result no longer counts
}

// NewResult is the state before the first check of a service that is watched from
// the moment began.
func NewResult(svc *Service, began time.Time) Result {
	r := Result{Service: svc, Since: began, Proven: svc.Restored.Proven, began: began, stale: svc.StaleAfter()}
	r.cause[Unknown] = &Fault{Reason: ReasonNoResult}
	if since := svc.Restored.FailingSince; !since.IsZero() {
		if since.After(began) {
			since = began
		}
		r.failing = since
		if svc.Restored.Held {
			r.released = began
		}
		r.cause[Unknown] = &Fault{Reason: ReasonNoResult, Message: "no result since the sidecar restarted; unhealthy before"}
	}
	return r
}

// Next returns the result after an outcome. The first one decides at once; later,
// the verdict gets worse when FailureThreshold outcomes in a row were all worse
// than it, and better when SuccessThreshold in a row were all better. It then
// moves as far as all of those agree on. A verdict that went stale in the meantime
// is what readers saw, so it is the one to change. A starved outcome only adds to
// Discarded. A fault with a reason that is not in the set counts as [ReasonError].
func (r Result) Next(o Outcome) Result {
	if o.Starved {
		r.Discarded++
		return r
	}
	o.Fault = o.Fault.complete(r.Service.Kind)
	r = r.At(o.Finished)
	before := r
	r.count(r.statusFor(o.Fault), o)
	if next := r.verdict(); next != r.Status {
		r.Status, r.Since = next, o.Finished
		if next == Unhealthy && !r.failing.IsZero() {
			r.Since = r.failing
		}
	}
	r.failing = time.Time{}
	return r.keepFinding(before)
}

// ReasonText returns what the reason means for any service of the kind, with nothing of
// this fault's own words; empty where the service is healthy.
func (r Result) ReasonText() string { return r.Service.ReasonText(r.Reason()) }

// NextStep is what to do first where the service is not healthy, and "" where it is.
func (r Result) NextStep() string { return r.Service.NextStep(r.Reason()) }

// Docs is the address of the text on the reason, or "".
func (r Result) Docs() string { return r.Service.Docs(r.Reason()) }

// FailingSince is the moment from which the service has been unhealthy, and the zero
// time where it is not. Before the first result it is what was restored.
func (r Result) FailingSince() time.Time {
	if r.Status == Unhealthy {
		return r.Since
	}
	return r.failing
}

// statusFor is the status that the outcome alone would give the service.
func (r *Result) statusFor(f *Fault) Status {
	switch {
	case f == nil:
		return Healthy
	case f.severity() == SeverityDown, f.severity() == SeveritySuspect && !r.Proven:
		return Unhealthy
	default:
		return Degraded
	}
}

func (r *Result) count(level Status, o Outcome) {
	r.Checks++
	r.Last, r.level = o, level
	for s := Healthy; s <= Unhealthy; s++ {
		r.worse[s] = extend(r.worse[s], level >= s)
		r.good[s] = extend(r.good[s], level <= s)
	}
	r.ConsecutiveFailures = r.worse[Degraded]
	r.cause[level] = o.Fault
	if level == Healthy {
		r.LastSuccess = o.Finished
	}
	if level <= Degraded {
		r.LastUsable = o.Started
	}
	if level == Healthy || o.Fault.severity() == SeverityImpaired {
		r.Proven = true
	}
}

func extend(run int, ok bool) int {
	if !ok {
		return 0
	}
	return run + 1
}

func (r *Result) verdict() Status {
	if r.Checks == 1 {
		return r.level
	}
	for s := Unhealthy; s > r.Status; s-- {
		if r.worse[s] >= r.Service.FailureThreshold {
			return s
		}
	}
	for s := Healthy; s < r.Status; s++ {
		if r.good[s] >= r.Service.SuccessThreshold {
			return s
		}
	}
	return r.Status
}

// InDoubt says that the latest outcome disagrees with the verdict, or was the
// first failure in a row: the next check should come soon and trust no old
// connection.
func (r Result) InDoubt() bool {
	return r.disputed() || r.ConsecutiveFailures == 1
}

// disputed says that the latest outcome disagrees with the verdict.
func (r Result) disputed() bool { return r.Checks > 0 && r.level != r.Status }

// Expires is the moment past which the result is stale: twice the interval and
// the timeout after the latest check.
func (r Result) Expires() time.Time {
	if r.Checks == 0 {
		return r.began.Add(r.stale)
	}
	return r.Last.Finished.Add(r.stale)
}

// Failing reports whether the latest outcome made the service unhealthy, whatever the
// verdict is. A stale result tells nothing.
func (r Result) Failing() bool {
	return r.Checks > 0 && r.level == Unhealthy && r.Reason() != ReasonStale
}

// At is the result as it must be read at a moment: past Expires it is unhealthy,
// with the reason stale, and what was observed no longer counts; and a fault has the scope
// that was found for it lately.
func (r Result) At(now time.Time) Result {
	r = r.aged(now)
	r.Scope, _, _ = r.scopeAt(now)
	return r
}

func (r Result) aged(now time.Time) Result {
	if !now.After(r.Expires()) {
		return r
	}
	if r.Status != Unhealthy {
		r.Status, r.Since = Unhealthy, r.Expires()
		if !r.failing.IsZero() {
			r.Since = r.failing
		}
	}
	r.cause[Unhealthy] = &Fault{Reason: ReasonStale}
	r.Last.Observation = Observation{}
	return r
}

// Fault is the latest one that speaks for the status: nil where it is healthy. It is
// shared; do not change it.
func (r Result) Fault() *Fault { return r.cause[r.Status] }

// Reason is why the status is not healthy, or "".
func (r Result) Reason() Reason {
	if f := r.Fault(); f != nil {
		return f.Reason
	}
	return ""
}

// Message is the reason in plain words, or "". It holds no driver's text.
func (r Result) Message() string {
	if f := r.Fault(); f != nil {
		return f.message()
	}
	return ""
}

// Same reports whether other is this result, perhaps read at another moment, and tells a
// reader the same. What one check observed is not compared with what another did: results
// of different checks are never the same.
func (r Result) Same(other Result) bool {
	return r.Service == other.Service &&
		r.Checks == other.Checks && r.Discarded == other.Discarded &&
		r.Last.Started.Equal(other.Last.Started) && r.Last.Finished.Equal(other.Last.Finished) &&
		r.Last.Answered() == other.Last.Answered() && len(r.Last.Observation.Values) == len(other.Last.Observation.Values) &&
		r.Status == other.Status && r.Since.Equal(other.Since) &&
		r.Reason() == other.Reason() && r.Message() == other.Message() &&
		r.Scope == other.Scope && r.Finding == other.Finding
}

// OK reports whether the service answers well enough for HTTP 200: healthy or
// degraded.
func (r Result) OK() bool { return r.Status == Healthy || r.Status == Degraded }
