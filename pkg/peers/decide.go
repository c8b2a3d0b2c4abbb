package peers

import (
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// verdict is what the newest answer of one peer means for one fault.
type verdict uint8

const (
	none    verdict = iota // unproven, stale, not checked since, or the service is not known
	failing                // the peer has the fault too
	sound                  // a check of the peer began after the fault did, and found the service usable
)

// judge says what an answer means for a fault that began at since. Sent is when the
// question was sent, by the same clock.
func judge(s said, sent, since time.Time) verdict {
	switch {
	case s.proven && s.failing:
		return failing
	case s.proven && s.ok && sent.Add(-s.okAge).After(since):
		return sound
	default:
		return none
	}
}

// entry is what is kept of one peer.
type entry struct {
	asked   time.Time // when the latest question was sent; zero: an answer that is not dated
	arrived time.Time // of the newest answer, or zero
	verdict verdict   // of it
	from    time.Time // the arrival of the first of the answers in a row that said the same
}

// Ledger keeps what the peers answered about one fault of one service: the newest answer
// of each. A new fault begins a new one. Peers are told apart by the address at which they
// were asked, not by what they call themselves, so that none can speak for another.
type Ledger struct {
	since   time.Time     // when the fault began
	began   time.Time     // when the ledger did
	life    time.Duration // of an answer
	entries map[string]entry
}

// NewLedger returns the ledger of the service's present fault.
func NewLedger(mine health.Result) *Ledger {
	return &Ledger{
		since: mine.FailingSince(), began: time.Now(), life: mine.Service.FindingLife(),
		entries: make(map[string]entry),
	}
}

// Fits reports whether the ledger is of the result's present fault.
func (l *Ledger) Fits(mine health.Result) bool { return l.since.Equal(mine.FailingSince()) }

// asked notes that a peer was sent a question.
func (l *Ledger) asked(address string, at time.Time) {
	e := l.entries[address]
	e.asked = at
	l.entries[address] = e
}

// answered notes what a peer said of the service, to a question that was sent at one
// moment and whose answer arrived at another.
func (l *Ledger) answered(address string, s said, sent, arrived time.Time) {
	e := l.entries[address]
	v := judge(s, sent, l.since)
	if v != e.verdict || e.arrived.IsZero() || arrived.Sub(e.arrived) > l.life {
		e.from = arrived
	}
	e.verdict, e.arrived = v, arrived
	l.entries[address] = e
}

// forget drops a peer that turned out to be this process itself.
func (l *Ledger) forget(address string) { delete(l.entries, address) }

// prune drops what no longer counts, so that the ledger does not grow with the fleet.
func (l *Ledger) prune(now time.Time) {
	for address, e := range l.entries {
		if now.Sub(e.asked) > l.life && now.Sub(e.arrived) > l.life {
			delete(l.entries, address)
		}
	}
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
	// Alone says that a lookup that is young enough has found no other Pod.
	Alone bool
}

// Decide says whose a fault is. The first rule that matches wins:
//
//   - there is no other Pod: alone
//   - fewer than half of the peers asked lately told anything: unknown
//   - at least as many have the fault as are sound: shared
//   - otherwise local, once a check of our own that began after answers to that effect had
//     arrived has failed too; until then undecided
//
// The last one is why the last Pod to recover stays in the Service: it sees that the others
// are sound, looks again, and finds the service well. Where not all peers were asked yet,
// local also needs a majority that no sample shows by chance: see [isClear].
func Decide(mine health.Result, l *Ledger, fleet Fleet, now time.Time) Decision {
	d := Decision{Finding: health.Finding{Since: l.since, At: now}}
	var soundThen, failingThen int // as known when our latest check began
	for _, e := range l.entries {
		if now.Sub(e.asked) <= l.life {
			d.Asked++
		}
		if e.arrived.IsZero() || now.Sub(e.arrived) > l.life {
			continue
		}
		then := e.from.Before(mine.Last.Started)
		switch e.verdict {
		case sound:
			d.Sound++
			soundThen += count(then)
		case failing:
			d.Failing++
			failingThen += count(then)
		case none:
		}
	}
	switch {
	case fleet.Alone:
		d.Scope = health.ScopeAlone
	case d.Asked == 0, 2*(d.Sound+d.Failing) < d.Asked:
		d.Scope = health.ScopeUnknown
	case d.Failing >= d.Sound:
		d.Scope = health.ScopeShared
	case d.Asked < fleet.Peers && !isClear(d.Sound, d.Failing):
		d.Scope = health.ScopeUndecided
	case mine.Failing() && soundThen > failingThen:
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

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
