package peers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// broken returns the result of a service that was proven and fails since a moment, and
// whose latest check began at another.
func broken(since, checked time.Time) health.Result {
	svc := &health.Service{
		Name: "database", Interval: 5 * time.Second, Timeout: 2 * time.Second,
		FailureThreshold: 1, SuccessThreshold: 1,
		Readiness: health.PolicyStrict, SharedFault: health.SharedFaultHold,
	}
	down := &health.Fault{Reason: health.ReasonRefused}
	r := health.NewResult(svc, since.Add(-time.Minute))
	r = r.Next(health.Outcome{Started: since.Add(-time.Minute), Finished: since.Add(-time.Minute)})
	r = r.Next(health.Outcome{Started: since, Finished: since, Fault: down})
	return r.Next(health.Outcome{Started: checked, Finished: checked, Fault: down})
}

// ledgerOf returns what the peers said at a moment, one letter for each: F has the fault
// too, S is sound, O answered and has not checked since, N was never proven, - did not
// answer.
func ledgerOf(mine health.Result, at time.Time, letters string) *Ledger {
	l := NewLedger(mine)
	l.began = mine.FailingSince()
	for i, letter := range strings.ReplaceAll(letters, " ", "") {
		address := fmt.Sprintf("10.0.0.%d:8008", i+2)
		l.asked(address, at)
		switch letter {
		case 'F':
			l.answered(address, serviceState{known: true, proven: true, failing: true}, at, at)
		case 'S':
			l.answered(address, serviceState{known: true, proven: true, ok: true, okAge: time.Millisecond}, at, at)
		case 'N':
			l.answered(address, serviceState{known: true, failing: true}, at, at)
		case 'O':
			l.answered(address, serviceState{known: true, proven: true, ok: true, okAge: time.Minute}, at, at)
		}
	}
	return l
}

// One letter per peer, without this Pod, for fleets of 1, 2, 3, 4, 5, 9 and 17.
func TestDecide(t *testing.T) {
	t.Parallel()
	const (
		alone   = health.ScopeAlone
		unknown = health.ScopeUnknown
		shared  = health.ScopeShared
		local   = health.ScopeLocal
	)
	repeat := strings.Repeat
	for _, tt := range []struct {
		peers string
		want  health.Scope
	}{
		{"", alone},
		{"-", unknown},
		{"F", shared},
		{"S", local},
		{"O", unknown},
		{"N", alone},
		{"F S", shared},
		{"S -", local},
		{"F -", shared},
		{"- -", unknown},
		{"S S", local},
		{"F F", shared},
		{"O O", unknown},
		{"S O", local},
		{"F O", shared},
		{"F N", shared},
		{"S N", local},
		{"- N", unknown},
		{"N N", alone},
		{"F - -", unknown},
		{"S S F", local},
		{"S F F", shared},
		{"S - -", unknown},
		{"S S -", local},
		{"F F -", shared},
		{"S F -", shared},
		{"F F F", shared},
		{"S S S", local},
		{"S F O", shared},
		{"S - N", local},
		{"F N N", shared},
		{"F F S S", shared},
		{"F S S S", local},
		{"F F F S", shared},
		{"F F - -", shared},
		{"F - - -", unknown},
		{"S S - -", local},
		{"F S - -", shared},
		{"S S F -", local},
		{"F N N N", shared},
		{"F F" + repeat("-", 6), unknown},
		{repeat("F", 4) + repeat("-", 4), shared},
		{repeat("F", 3) + repeat("-", 5), unknown},
		{repeat("F", 4) + repeat("S", 4), shared},
		{repeat("F", 3) + repeat("S", 5), local},
		{repeat("S", 4) + repeat("-", 4), local},
		{repeat("F", 2) + repeat("S", 3) + "---", local},
		{repeat("F", 3) + repeat("S", 2) + "---", shared},
		{"FF" + repeat("N", 6), shared},
		{repeat("F", 8) + repeat("S", 8), shared},
		{repeat("F", 7) + repeat("S", 9), local},
		{repeat("F", 16), shared},
		{repeat("S", 16), local},
		{repeat("S", 8) + repeat("-", 8), local},
		{repeat("S", 7) + repeat("-", 9), unknown},
		{repeat("F", 4) + repeat("S", 4) + repeat("-", 8), shared},
		{repeat("F", 5) + repeat("S", 11), local},
		{repeat("N", 16), alone},
	} {
		since := epoch
		mine := broken(since, since.Add(2*time.Second))
		l := ledgerOf(mine, since.Add(time.Second), tt.peers)
		fleet := Fleet{Peers: len(strings.ReplaceAll(tt.peers, " ", "")), Fresh: true}
		d := Decide(mine, l, fleet, since.Add(3*time.Second))
		if d.Scope != tt.want {
			t.Errorf("%q: %s (%+v), want %s", tt.peers, d.Scope, d.Finding, tt.want)
		}
		// A list that is old says nothing of Pods that are not in it.
		old := Fleet{Peers: fleet.Peers}
		if d := Decide(mine, l, old, since.Add(3*time.Second)); tt.want == alone && d.Scope != unknown {
			t.Errorf("%q of an old list: %s", tt.peers, d.Scope)
		}
		// A check that began before the answers had arrived proves nothing.
		early := broken(since, since.Add(500*time.Millisecond))
		d = Decide(early, ledgerOf(early, since.Add(time.Second), tt.peers), fleet, since.Add(3*time.Second))
		if tt.want == local && (d.Scope != health.ScopeUndecided || !d.NeedsCheck) {
			t.Errorf("%q before a look: %s, look %t", tt.peers, d.Scope, d.NeedsCheck)
		}
		// What was said counts for three intervals.
		if d := Decide(mine, l, fleet, since.Add(16*time.Second)); d.Scope != tt.want {
			t.Errorf("%q, 15 s later: %s", tt.peers, d.Scope)
		}
		if d := Decide(mine, l, old, since.Add(16*time.Second+1)); d.Scope != unknown || d.Asked != 0 {
			t.Errorf("%q, just over 15 s later: %s, %d asked", tt.peers, d.Scope, d.Asked)
		}
	}
}

// In a fleet of which a part was asked, a majority must be clear.
func TestDecideOnAPart(t *testing.T) {
	t.Parallel()
	for peers, want := range map[string]health.Scope{
		strings.Repeat("S", 16): health.ScopeLocal, strings.Repeat("S", 15): health.ScopeUndecided,
		strings.Repeat("S", 16) + "F": health.ScopeUndecided, strings.Repeat("S", 20) + "F": health.ScopeLocal,
		strings.Repeat("S", 36) + strings.Repeat("F", 12): health.ScopeUndecided,
		strings.Repeat("S", 48) + strings.Repeat("F", 16): health.ScopeLocal,
		strings.Repeat("F", 8) + strings.Repeat("S", 8):   health.ScopeShared,
	} {
		mine := broken(epoch, epoch.Add(2*time.Second))
		d := Decide(mine, ledgerOf(mine, epoch.Add(time.Second), peers), Fleet{Peers: 1000, Fresh: true}, epoch.Add(3*time.Second))
		if d.Scope != want {
			t.Errorf("%s of 1000: %s, want %s", peers, d.Scope, want)
		}
	}
}

// On the way back the peers turn sound one after the other. A check of ours that began
// while they failed and ends in vain, as one does that waited for a frozen server, is no
// proof, even if some peer was sound all the time.
func TestDecideOnTheWayBack(t *testing.T) {
	t.Parallel()
	at := func(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }
	ok := serviceState{known: true, proven: true, ok: true, okAge: time.Millisecond}
	down := serviceState{known: true, proven: true, failing: true}
	const a, b, c = "10.0.0.2:8008", "10.0.0.3:8008", "10.0.0.4:8008"
	mine := broken(epoch, at(20))
	l := NewLedger(mine)
	l.began = mine.FailingSince()
	say := func(address string, s serviceState, seconds float64) {
		l.asked(address, at(seconds))
		l.answered(address, s, at(seconds), at(seconds))
	}
	say(a, ok, 10)
	say(b, down, 10)
	say(b, ok, 21) // after our check began
	if d := Decide(mine, l, Fleet{Peers: 2, Fresh: true}, at(22)); d.Scope != health.ScopeUndecided || !d.NeedsCheck {
		t.Errorf("%s, look %t: our check was begun before the majority was there", d.Scope, d.NeedsCheck)
	}
	if d := Decide(broken(epoch, at(21.5)), l, Fleet{Peers: 2, Fresh: true}, at(22)); d.Scope != health.ScopeLocal {
		t.Errorf("%s after a look", d.Scope)
	}
	// Peers that have gone are not asked any more; what those said that served counts on.
	say(c, down, 21)
	l.asked(b, at(23))
	l.retain([]string{a})
	if d := Decide(mine, l, Fleet{Peers: 1, Fresh: true}, at(23)); d.Asked != 3 {
		t.Errorf("%d of 3 count while their answers do", d.Asked)
	}
	if d := Decide(mine, l, Fleet{Peers: 1, Fresh: true}, at(37)); d.Asked != 0 {
		t.Errorf("%d count that have gone", d.Asked)
	}
	l.prune(at(37))
	if len(l.entries) != 0 {
		t.Errorf("%d entries are kept for nothing", len(l.entries))
	}
}
