package health

import (
	"fmt"
	"time"
)

// Scope says whose a service's fault is, as the sidecars of the workload's other Pods
// tell.
type Scope string

// The scopes. The zero value means that there is no fault, or that no peers are asked.
const (
	ScopeUndecided Scope = "undecided" // not enough is known, and it is early
	ScopeUnknown   Scope = "unknown"   // not enough peers told anything
	ScopeLocal     Scope = "local"     // most peers that told something do not see the fault
	ScopeShared    Scope = "shared"    // at least half of them see it too
	ScopeAlone     Scope = "alone"     // there is no other Pod that was ever well
)

// Scopes returns every scope, for readers that show all of them.
func Scopes() []Scope {
	return []Scope{ScopeUndecided, ScopeUnknown, ScopeLocal, ScopeShared, ScopeAlone}
}

// everywhere reports whether no other Pod would serve better.
func (s Scope) everywhere() bool { return s == ScopeShared || s == ScopeAlone }

// SharedFault says what a fault that most peers see too means for readiness.
type SharedFault string

// The zero value is that no peer is asked.
const (
	SharedFaultHold  SharedFault = "hold"  // the Pod stays ready
	SharedFaultLeave SharedFault = "leave" // it leaves, as it would without peers
)

// Finding is what the peers told about one fault of a service.
type Finding struct {
	// Scope is [ScopeUnknown] where too few of them told anything.
	Scope Scope
	// Asked counts the distinct peers that were asked lately, without those that were never
	// well; Failing and Sound those of them that have the same fault, and that saw the
	// service well after the fault began.
	Asked, Failing, Sound int
	// Since is the moment from which the service fails, see [Result.FailingSince]: the
	// finding says nothing about another fault.
	Since time.Time
	// At is the end of the latest round of questions.
	At time.Time
}

// String tells the finding in plain words, as the end of a message.
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

// Describe tells a scope and the finding behind it in plain words, such as "shared: 11 of
// 12 peers see it too". A finding that the scope does not rest on, such as one that has
// expired, is left out.
func (s Scope) Describe(f Finding) string {
	if text := f.String(); text != "" && s == f.Scope {
		return string(s) + ": " + text
	}
	return string(s)
}

// FindingLife is how long a finding counts after its latest round, so that a hung
// goroutine holds no Pod for ever, and how long a peer's answer counts in a finding: three
// intervals, and at least as many rounds of questions.
func (s *Service) FindingLife() time.Duration { return 3 * max(s.Interval, s.roundTime()) }

// roundTime bounds the time from the start of one round of questions to the start of the
// next: they begin a second apart, or when the slowest peer is given up.
func (s *Service) roundTime() time.Duration { return max(time.Second, s.PeersTimeout) }

// undecidedFor is how long the peers may take to tell: until each has begun a check after
// this Pod's fault did and finished it, and was asked after that, by a round that began when
// another had ended. On the way back, as many checks of our own as it takes must succeed.
func (s *Service) undecidedFor() time.Duration {
	return s.Interval*11/10 + s.Timeout + 2*s.roundTime() + time.Duration(max(0, s.SuccessThreshold-1))*(retryDelay+s.Timeout)
}

// found returns the result with a finding about its present fault.
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

// keepFinding returns the result with the finding of the one before it if both are of one
// fault, and with none if they are not.
func (r Result) keepFinding(last Result) Result {
	r.Finding, r.released = Finding{}, time.Time{}
	if since := r.FailingSince(); !since.IsZero() && since.Equal(last.FailingSince()) {
		r.Finding, r.released = last.Finding, last.released
	}
	return r
}

// scopeAt returns the scope of the fault as it must be read at a moment, the moment up to
// which that holds if nothing new comes in (zero: for good), and the moment from which a
// grace counts.
func (r Result) scopeAt(now time.Time) (scope Scope, until, from time.Time) {
	since, f := r.FailingSince(), r.Finding
	if r.Service.SharedFault == "" || since.IsZero() {
		return "", time.Time{}, since
	}
	from = later(since, r.released)
	expires, held := f.At.Add(r.Service.FindingLife()), r.holds() && f.Scope.everywhere()
	if r.Reason() == ReasonStale { // it is this process that has no result
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

// held reports whether the fault, by its scope, keeps the Pod in the Service: not where
// the service was never proven, since a broken release must not roll out during an
// outage, nor where the sidecar itself has no result.
func (r Result) held() bool {
	return r.holds() && r.Proven && r.Reason() != ReasonStale && (r.Scope.everywhere() || r.Scope == ScopeUndecided)
}

// holds reports whether a fault of the service may keep the Pod in the Service.
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
