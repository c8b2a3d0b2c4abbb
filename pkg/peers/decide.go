package peers

import (
	"math"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// verdict is what the newest answer of one peer means for one fault.
type verdict uint8

const (
	none     verdict = iota // stale, not checked since, or the service is not known
	newcomer                // the service was never proven there: no such Pod is ready
	failing                 // the peer has the fault too
	sound                   // a check of the peer began after the fault did, and found the service usable
)

// judge says what an answer means for a fault that began at since. Sent is when the
// question was sent, by the same clock.
func judge(s said, sent, since time.Time) verdict {
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

// moment is a time since a ledger began. Decisions compare many of them.
type moment = time.Duration

// never is before any other moment.
const never moment = math.MinInt64

// entry is what is kept of one peer.
type entry struct {
	address string
	asked   moment  // when the latest question was sent
	arrived moment  // of the newest answer, or never
	verdict verdict // of it
	from    moment  // the arrival of the first of the answers in a row that said the same
	failed  moment  // the arrival of the latest one that said failing
}

// Ledger keeps what the peers answered about one fault of one service: the newest answer
// of each. A new fault begins a new one. Peers are told apart by the address at which they
// were asked, not by what they call themselves, so that none can speak for another.
type Ledger struct {
	since   time.Time     // when the fault began
	began   time.Time     // when the ledger did
	life    time.Duration // of an answer
	entries []entry
}

// NewLedger returns the ledger of the service's present fault.
func NewLedger(mine health.Result) *Ledger {
	return &Ledger{since: mine.FailingSince(), began: time.Now(), life: mine.Service.FindingLife()}
}

// Fits reports whether the ledger is of the result's present fault.
func (l *Ledger) Fits(mine health.Result) bool { return l.since.Equal(mine.FailingSince()) }

// of returns the entry of a peer, which is new where there is none.
func (l *Ledger) of(address string) *entry {
	for i := range l.entries {
		if l.entries[i].address == address {
			return &l.entries[i]
		}
	}
	l.entries = append(l.entries, entry{address: address, asked: never, arrived: never, from: never, failed: never})
	return &l.entries[len(l.entries)-1]
}

// asked notes that a peer was sent a question.
func (l *Ledger) asked(address string, at time.Time) { l.of(address).asked = at.Sub(l.began) }

// answered notes what a peer said of the service, to a question that was sent at one
// moment and whose answer arrived at another.
func (l *Ledger) answered(address string, s said, sent, arrived time.Time) {
	e, v, now := l.of(address), judge(s, sent, l.soundFrom()), arrived.Sub(l.began)
	if v != e.verdict || e.arrived < now-l.life {
		e.from = now
	}
	e.verdict, e.arrived = v, now
	if v == failing {
		e.failed = now
	}
}

// soundFrom is the moment after which a check of a peer must have begun to say that the
// peer is sound: that of the fault, or of the ledger where the fault began before this
// process did or while it was suspended, and the service may have been well meanwhile.
func (l *Ledger) soundFrom() time.Time {
	if l.began.After(l.since) {
		return l.began
	}
	return l.since
}

// forget drops a peer that turned out to be this process itself.
func (l *Ledger) forget(address string) {
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.address == address })
}

// retain forgets that peers were asked which have gone: those that are not in a list, which
// is sorted. What they answered last counts for as long as any answer, unless they were
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

// prune drops what no longer counts, so that the ledger does not grow with the fleet.
func (l *Ledger) prune(now time.Time) {
	horizon := now.Sub(l.began) - l.life
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.asked < horizon && e.arrived < horizon })
}

// Decision is what follows from what is known at a moment.
type Decision struct {
	health.Finding
	// Look says that only a look of our own is missing to call the fault local: a check
	// that begins after the answers that say so had arrived.
	Look bool
}

// Fleet is what the latest lookups found.
type Fleet struct {
	// Peers counts the other Pods.
	Peers int
	// Fresh says that the lookup that found them is young enough to say that there are no
	// more.
	Fresh bool
}

// Decide says whose a fault is. The first rule that matches wins:
//
//   - there is no other Pod, or none that was ever well: alone
//   - fewer than half of the peers asked lately told anything: unknown
//   - at least as many have the fault as are sound: shared
//   - otherwise local if our latest check has failed and began after those answers had
//     arrived, and undecided until there is such a check
//
// The last one is why the last Pod to recover stays in the Service: it sees that the others
// are sound, looks again, and finds the service well. Where not all peers were asked yet,
// local also needs a majority that no sample shows by chance: see [isClear]. Newcomers, for
// which the service was never proven, count nowhere else: none of them is ready, so that
// it could not take this Pod's place, and a release that is rolled out or scaled out during
// an outage must not take the evidence from those that serve.
func Decide(mine health.Result, l *Ledger, fleet Fleet, now time.Time) Decision {
	d := Decision{Finding: health.Finding{Since: l.since, At: now}}
	horizon, looked := now.Sub(l.began)-l.life, mine.Last.Started.Sub(l.began)
	var newcomers int
	var soundThen, against int // as known when our latest check began; in doubt, against
	for i := range l.entries {
		e := &l.entries[i]
		v := e.verdict
		if e.arrived < horizon {
			if e.asked < horizon {
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
			if e.from < looked {
				soundThen++
			} else if e.failed >= horizon { // it failed when our check began, or has since
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
	case mine.Failing() && soundThen > against:
		d.Scope = health.ScopeLocal
	default:
		d.Scope, d.Look = health.ScopeUndecided, true
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
