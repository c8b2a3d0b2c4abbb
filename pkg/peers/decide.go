package peers

import (
	"math"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// verdict is the meaning of a peer's newest answer for one fault.
type verdict uint8

const (
	none     verdict = iota // stale, not checked since the fault began, or without the service
	newcomer                // the service was never healthy there: such a Pod is not ready
	failing                 // the peer has the fault too
	sound                   // a check that the peer began after the fault found the service usable
)

// verdictFor returns the meaning of an answer for a fault that began at since. sent is when the
// request was sent, by the same clock.
func verdictFor(s serviceState, sent, since time.Time) verdict {
	switch {
	case !s.known:
		return none
	case !s.proven:
		return newcomer
	case s.failing:
		return failing
	case s.ok && sent.Add(-s.okAge).After(since):
		return sound
	default:
		return none
	}
}

// moment is a time as the duration since a ledger began. Decisions compare many of them.
type moment = time.Duration

// never is before any other moment.
const never moment = math.MinInt64

// entry is the state of one peer.
type entry struct {
	address     string
	asked       moment  // when the latest request was sent
	arrived     moment  // when the newest answer arrived, or never
	verdict     verdict // of the newest answer
	sameSince   moment  // arrival of the first answer of those in a row with this verdict
	lastFailing moment  // arrival of the latest answer with the verdict failing
}

// Ledger has the peers' answers about one fault of one service: the newest answer
// of each. A new fault has a new ledger. Peers are identified by the address at which they
// were asked, not by their instance names, so that no peer can answer for another one.
type Ledger struct {
	since    time.Time     // when the fault began
	began    time.Time     // when the ledger was created
	validFor time.Duration // how long an answer counts
	entries  []entry
}

// NewLedger returns a ledger for the service's current fault.
func NewLedger(mine health.Result) *Ledger {
	return &Ledger{since: mine.FailingSince(), began: time.Now(), validFor: mine.Service.FindingLife()}
}

// Fits reports whether the ledger is about the result's current fault.
func (l *Ledger) Fits(mine health.Result) bool { return l.since.Equal(mine.FailingSince()) }

// entryOf returns the entry of a peer. It adds one if there is none.
func (l *Ledger) entryOf(address string) *entry {
	for i := range l.entries {
		if l.entries[i].address == address {
			return &l.entries[i]
		}
	}
	l.entries = append(l.entries, entry{address: address, asked: never, arrived: never, sameSince: never, lastFailing: never})
	return &l.entries[len(l.entries)-1]
}

// asked records that a request was sent to a peer.
func (l *Ledger) asked(address string, at time.Time) { l.entryOf(address).asked = at.Sub(l.began) }

// answered records a peer's answer about the service, with the times at which the request was
// sent and the answer arrived.
func (l *Ledger) answered(address string, s serviceState, sent, arrived time.Time) {
	e, v, now := l.entryOf(address), verdictFor(s, sent, l.soundFrom()), arrived.Sub(l.began)
	if v != e.verdict || e.arrived < now-l.validFor {
		e.sameSince = now
	}
	e.verdict, e.arrived = v, now
	if v == failing {
		e.lastFailing = now
	}
}

// soundFrom returns the time after which a peer must have begun a check that shows it as sound:
// the start of the fault, or that of the ledger if it is later. The fault may have begun before this
// process or while it was suspended, and the service may have worked in between.
func (l *Ledger) soundFrom() time.Time {
	if l.began.After(l.since) {
		return l.began
	}
	return l.since
}

// forget removes the entry of an address at which this process itself answered.
func (l *Ledger) forget(address string) {
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.address == address })
}

// retain removes the pending requests of peers that have gone, which are not in the sorted list.
// Their latest answers still count as long as any other answer, except for those of
// newcomers.
func (l *Ledger) retain(listed []string) {
	for i := range l.entries {
		e := &l.entries[i]
		if _, found := slices.BinarySearch(listed, e.address); found {
			continue
		}
		if e.verdict == none || e.verdict == newcomer {
			e.arrived = never
		}
		e.asked = e.arrived
	}
}

// prune removes entries that no longer count, so that the ledger does not grow with the fleet.
func (l *Ledger) prune(now time.Time) {
	oldest := now.Sub(l.began) - l.validFor
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.asked < oldest && e.arrived < oldest })
}

// Decision is the result of [Decide].
type Decision struct {
	health.Finding
	// NeedsCheck is true if only a check of our own is missing to call the fault local: one
	// that begins after the peers' answers had arrived.
	NeedsCheck bool
}

// Fleet is the result of the latest lookups.
type Fleet struct {
	// Peers counts the other Pods.
	Peers int
	// Fresh is true if the lookup is recent enough to prove that there are no
	// other Pods.
	Fresh bool
}

// Decide returns the scope of a fault. The first rule that matches decides:
//
//   - there is no other Pod, or for none of them the service was ever healthy: alone
//   - fewer than half of the peers asked recently gave evidence: unknown
//   - at least as many peers have the fault as are sound: shared
//   - otherwise local if our latest check has failed and began after those answers had
//     arrived, and undecided until there is such a check
//
// The last rule keeps the last Pod that recovers in the Service: it sees that the others
// are sound, checks again, and finds the service healthy. While not all peers were asked,
// local also needs a majority that is not due to chance: see [isClear]. Newcomers, for
// which the service was never healthy, count only in the first rule. They are not ready, so
// they could not replace this Pod, and a rollout or a scale-up during
// an outage must not outvote the Pods that serve.
func Decide(mine health.Result, l *Ledger, fleet Fleet, now time.Time) Decision {
	d := Decision{Finding: health.Finding{Since: l.since, At: now}}
	oldest, checkStarted := now.Sub(l.began)-l.validFor, mine.Last.Started.Sub(l.began)
	var newcomers int
	var soundBefore, against int // known when our latest check began; a doubtful one counts against local
	for i := range l.entries {
		e := &l.entries[i]
		v := e.verdict
		if e.arrived < oldest {
			if e.asked < oldest {
				continue
			}
			v = none
		}
		if v == newcomer {
			newcomers++
			continue
		}
		d.Asked++
		switch v {
		case sound:
			d.Sound++
			if e.sameSince < checkStarted {
				soundBefore++
			} else if e.lastFailing >= oldest { // it failed when our check began, or later
				against++
			}
		case failing:
			d.Failing++
			against++
		case none, newcomer:
		}
	}
	switch {
	case fleet.Fresh && newcomers >= fleet.Peers:
		d.Scope = health.ScopeAlone
	case d.Asked == 0, 2*(d.Sound+d.Failing) < d.Asked:
		d.Scope = health.ScopeUnknown
	case d.Failing >= d.Sound:
		d.Scope = health.ScopeShared
	case d.Asked+newcomers < fleet.Peers && !isClear(d.Sound, d.Failing):
		d.Scope = health.ScopeUndecided
	case mine.Failing() && soundBefore > against:
		d.Scope = health.ScopeLocal
	default:
		d.Scope, d.NeedsCheck = health.ScopeUndecided, true
	}
	return d
}

// isClear reports whether more peers are sound than failing by four standard deviations of
// the difference in a sample of a fleet where half are failing: sqrt(sound+failing). In a
// fleet of 1000 where two thirds fail, one sample of 16 in twenty has a sound majority.
// Sixteen that are all sound are clear.
func isClear(sound, failing int) bool {
	difference := sound - failing
	return difference > 0 && difference*difference >= 16*(sound+failing)
}
