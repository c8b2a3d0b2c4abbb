package health

import "time"

// Result is the verdict on one service and the state from which it is computed. It is an
// immutable value: [Result.Next] returns the next one. It never reads a clock: the time is
// in the outcomes and an argument of [Result.At].
type Result struct {
	Service *Service
	// Status is the verdict, and Since the moment from which it holds. Before the first
	// outcome they are Unknown and the moment at which the monitor was made.
	Status Status
	Since  time.Time
	// Last is the latest outcome that was not discarded; the zero value if there is none.
	Last Outcome
	// LastSuccess is the end of the latest check that found the service healthy.
	LastSuccess time.Time
	// LastUsable is the start of the latest check that found it healthy or degraded.
	LastUsable time.Time
	// ConsecutiveFailures counts the latest outcomes in a row that were not healthy.
	ConsecutiveFailures int
	// Proven says that a check of this process, or of an earlier process of the same Pod,
	// found the service usable. It never becomes false again.
	Proven bool
	// Checks counts the outcomes that were used, and Discarded those that were not because
	// this process did not get enough CPU.
	Checks, Discarded uint64
	// Scope says which Pods have the present fault, at the moment for which the result is
	// read, and Finding what the peers reported about it. Both are zero if there is no
	// fault or no peers are asked.
	Scope   Scope
	Finding Finding

	released time.Time // when the present fault was last no longer shared
	began    time.Time // when the monitor was made
	// restoredFailing is, until the first outcome, since when the service was unhealthy
	// before this process started; the zero time if it was not.
	restoredFailing time.Time
	latest          Status        // status of the latest outcome alone
	atLeast         [4]int        // latest outcomes in a row that were this status or a worse one
	atMost          [4]int        // latest outcomes in a row that were this status or a better one
	faults          [4]*Fault     // the latest fault of each status
	stale           time.Duration // age above which the result no longer counts
}

// NewResult returns the result before the first check of a service. Its stale age counts
// from began.
func NewResult(svc *Service, began time.Time) Result {
	r := Result{Service: svc, Since: began, Proven: svc.Restored.Proven, began: began, stale: svc.StaleAfter()}
	r.faults[Unknown] = &Fault{Reason: ReasonNoResult}
	if since := svc.Restored.FailingSince; !since.IsZero() {
		if since.After(began) {
			since = began
		}
		r.restoredFailing = since
		if svc.Restored.Held {
			r.released = began
		}
		r.faults[Unknown] = &Fault{Reason: ReasonNoResult, Message: "no result since the sidecar restarted; unhealthy before"}
	}
	return r
}

// Next returns the result after an outcome. The first outcome sets the verdict. Later,
// the verdict gets worse when FailureThreshold outcomes in a row were all worse than it,
// and better when SuccessThreshold in a row were all better. It then becomes the status
// among those outcomes that is nearest to it. If the result went stale in the meantime,
// the verdict that changes is unhealthy, since readers saw that. A starved outcome only
// adds to Discarded. A fault with an unknown reason counts as [ReasonError].
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
		if next == Unhealthy && !r.restoredFailing.IsZero() {
			r.Since = r.restoredFailing
		}
	}
	r.restoredFailing = time.Time{}
	return r.keepFinding(before)
}

// ReasonText returns the message of the reason for any service of the kind, without details
// of this fault; empty if the service is healthy.
func (r Result) ReasonText() string { return r.Service.ReasonText(r.Reason()) }

// NextStep returns the next step for the reason, or "".
func (r Result) NextStep() string { return r.Service.NextStep(r.Reason()) }

// Docs returns the URL of the documentation of the reason, or "".
func (r Result) Docs() string { return r.Service.Docs(r.Reason()) }

// FailingSince returns the moment from which the service has been unhealthy; the zero time
// if it is not. Before the first outcome it returns the restored moment.
func (r Result) FailingSince() time.Time {
	if r.Status == Unhealthy {
		return r.Since
	}
	return r.restoredFailing
}

// statusFor returns the status of an outcome with that fault alone.
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

// count adds an outcome, whose status alone is given, to the counters.
func (r *Result) count(status Status, o Outcome) {
	r.Checks++
	r.Last, r.latest = o, status
	for s := Healthy; s <= Unhealthy; s++ {
		r.atLeast[s] = runLength(r.atLeast[s], status >= s)
		r.atMost[s] = runLength(r.atMost[s], status <= s)
	}
	r.ConsecutiveFailures = r.atLeast[Degraded]
	r.faults[status] = o.Fault
	if status == Healthy {
		r.LastSuccess = o.Finished
	}
	if status <= Degraded {
		r.LastUsable = o.Started
	}
	if status == Healthy || o.Fault.severity() == SeverityImpaired {
		r.Proven = true
	}
}

func runLength(run int, ok bool) int {
	if !ok {
		return 0
	}
	return run + 1
}

func (r *Result) verdict() Status {
	if r.Checks == 1 {
		return r.latest
	}
	for s := Unhealthy; s > r.Status; s-- {
		if r.atLeast[s] >= r.Service.FailureThreshold {
			return s
		}
	}
	for s := Healthy; s < r.Status; s++ {
		if r.atMost[s] >= r.Service.SuccessThreshold {
			return s
		}
	}
	return r.Status
}

// InDoubt reports whether the latest outcome disagrees with the verdict or was the first
// failure in a row. The next check should then come soon and use no old connection.
func (r Result) InDoubt() bool {
	return r.disputed() || r.ConsecutiveFailures == 1
}

// disputed reports whether the latest outcome disagrees with the verdict.
func (r Result) disputed() bool { return r.Checks > 0 && r.latest != r.Status }

// Expires returns the moment after which the result is stale: [Service.StaleAfter] after the
// end of the latest check.
func (r Result) Expires() time.Time {
	if r.Checks == 0 {
		return r.began.Add(r.stale)
	}
	return r.Last.Finished.Add(r.stale)
}

// Failing reports whether the latest outcome alone is unhealthy, whatever the verdict is. It
// is false for a stale result.
func (r Result) Failing() bool {
	return r.Checks > 0 && r.latest == Unhealthy && r.Reason() != ReasonStale
}

// At returns the result for a reader at that moment. After Expires it is unhealthy with the
// reason stale and has no observation. Scope is set from the finding, if that has not expired.
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
		if !r.restoredFailing.IsZero() {
			r.Since = r.restoredFailing
		}
	}
	r.faults[Unhealthy] = &Fault{Reason: ReasonStale}
	r.Last.Observation = Observation{}
	return r
}

// Fault returns the latest fault that gave the present status; nil if it is healthy. It is
// shared: do not change it.
func (r Result) Fault() *Fault { return r.faults[r.Status] }

// Reason returns why the status is not healthy, or "".
func (r Result) Reason() Reason {
	if f := r.Fault(); f != nil {
		return f.Reason
	}
	return ""
}

// Message returns the message of the fault, or "". It holds no driver's text.
func (r Result) Message() string {
	if f := r.Fault(); f != nil {
		return f.message()
	}
	return ""
}

// Same reports whether other is the same result, perhaps read at another moment, and means
// the same for a reader. Results of different checks are never the same, so observations
// are not compared.
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
