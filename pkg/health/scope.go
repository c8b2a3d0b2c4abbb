package health

import (
	"fmt"
	"time"
)

// Scope says which Pods have the fault of a service, according to the sidecars of the
// workload's other Pods (the peers).
type Scope string

// The scopes. The zero value means that there is no fault, or that no peers are asked.
const (
	ScopeUndecided Scope = "undecided" // too few peers answered so far, and they are still asked
	ScopeUnknown   Scope = "unknown"   // too few peers answered in time
	ScopeLocal     Scope = "local"     // most peers that answered do not have the fault
	ScopeShared    Scope = "shared"    // at least half of the peers that answered have it too
	ScopeAlone     Scope = "alone"     // in no other Pod was the service ever healthy
)

// Scopes returns every scope, for readers that show all of them.
func Scopes() []Scope {
	return []Scope{ScopeUndecided, ScopeUnknown, ScopeLocal, ScopeShared, ScopeAlone}
}

// everywhere reports whether no other Pod would serve better than this one.
func (s Scope) everywhere() bool { return s == ScopeShared || s == ScopeAlone }

// SharedFault says what a shared fault means for readiness.
type SharedFault string

// With the zero value, no peer is asked.
const (
	SharedFaultHold  SharedFault = "hold"  // the Pod stays ready
	SharedFaultLeave SharedFault = "leave" // it leaves, as it would without peers
)

// Finding is what the peers reported about one fault of a service.
type Finding struct {
	// Scope is [ScopeUnknown] if too few peers answered.
	Scope Scope
	// Asked counts the peers that were asked lately, without those in which the service was
	// never healthy. Failing counts those of them that have the same fault, and Sound those
	// that found the service usable after the fault began.
	Asked, Failing, Sound int
	// Since identifies the fault: it is [Result.FailingSince]. The finding says nothing
	// about another fault.
	Since time.Time
	// At is the end of the latest round of requests to the peers.
	At time.Time
}

// String returns the finding as the end of a message for people.
func (f Finding) String() string {
	switch {
	case f.Scope == ScopeAlone:
		return "no other Pod could take over"
	case f.Scope == ScopeShared, f.Scope == ScopeLocal:
		return fmt.Sprintf("%d of %d peers see it too", f.Failing, f.Asked)
	case f.Scope != "" && f.Asked == 0:
		return "no peer could be asked"
	case f.Scope != "":
		return fmt.Sprintf("%d of %d peers can tell", f.Failing+f.Sound, f.Asked)
	}
	return ""
}

// Describe returns the scope and its finding for people, such as "shared: 11 of 12 peers
// see it too". A finding of another scope, such as one that has expired, is left out.
func (s Scope) Describe(f Finding) string {
	if text := f.String(); text != "" && s == f.Scope {
		return string(s) + ": " + text
	}
	return string(s)
}

// FindingLife returns how long a finding counts after its latest round, and how long the
// response of a peer counts in a finding: three intervals, or three rounds if that is
// longer. The limit prevents that a hanging goroutine keeps the Pod ready for ever.
func (s *Service) FindingLife() time.Duration { return 3 * max(s.Interval, s.roundTime()) }

// roundTime returns the longest time from the start of one round of requests to the start of
// the next: a second, or the timeout of a request if that is longer.
func (s *Service) roundTime() time.Duration { return max(time.Second, s.PeersTimeout) }

// undecidedFor returns for how long a fault may be undecided. In this time each peer starts
// and finishes a check after this Pod's fault began, and is asked in a round that starts
// afterwards. If the service recovers, SuccessThreshold checks of our own must succeed.
func (s *Service) undecidedFor() time.Duration {
	return s.Interval*11/10 + s.Timeout + 2*s.roundTime() + time.Duration(max(0, s.SuccessThreshold-1))*(retryDelay+s.Timeout)
}

// found returns the result with the finding, if that is about the present fault.
func (r Result) found(f Finding, now time.Time) Result {
	if r.Service.SharedFault == "" || f.Since.IsZero() || !f.Since.Equal(r.FailingSince()) {
		return r
	}
	if r.holds() && r.Finding.Scope.everywhere() && !f.Scope.everywhere() {
		r.released = earlier(now, r.Finding.At.Add(r.Service.FindingLife()))
	}
	r.Finding = f
	return r
}

// keepFinding returns the result with the finding of the last result if both have the same
// fault, and otherwise without a finding.
func (r Result) keepFinding(last Result) Result {
	r.Finding, r.released = Finding{}, time.Time{}
	if since := r.FailingSince(); !since.IsZero() && since.Equal(last.FailingSince()) {
		r.Finding, r.released = last.Finding, last.released
	}
	return r
}

// scopeAt returns the scope of the fault at a moment, until when it holds without a new
// result or finding (zero: for ever), and the moment from which a grace counts.
func (r Result) scopeAt(now time.Time) (scope Scope, until, from time.Time) {
	since, f := r.FailingSince(), r.Finding
	if r.Service.SharedFault == "" || since.IsZero() {
		return "", time.Time{}, since
	}
	from = later(since, r.released)
	expires, held := f.At.Add(r.Service.FindingLife()), r.holds() && f.Scope.everywhere()
	if r.Reason() == ReasonStale { // this process has no result, so the fault is local
		if held {
			from = later(from, earlier(expires, r.Expires()))
		}
		return ScopeLocal, time.Time{}, from
	}
	if f.Scope != "" && now.After(expires) {
		if held {
			from = expires
		}
		return ScopeUnknown, time.Time{}, from
	}
	if f.Scope.everywhere() || f.Scope == ScopeLocal {
		return f.Scope, expires, from
	}
	end := from.Add(r.Service.undecidedFor())
	switch {
	case now.After(end):
		return ScopeUnknown, time.Time{}, from
	case f.Scope != "":
		return ScopeUndecided, earlier(end, expires), from
	}
	return ScopeUndecided, end, from
}

// held reports whether the Pod stays ready with the fault because of its scope. It does not
// if the service was never proven, since a broken release must not roll out during an
// outage, or if the result is stale.
func (r Result) held() bool {
	return r.holds() && r.Proven && r.Reason() != ReasonStale && (r.Scope.everywhere() || r.Scope == ScopeUndecided)
}

// holds reports whether the settings allow that the Pod stays ready with a shared fault.
func (r Result) holds() bool {
	return r.Service.SharedFault == SharedFaultHold && r.Service.Readiness == PolicyStrict
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
