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
// too, S is sound, O answered and has not checked since, - did not answer.
func ledgerOf(mine health.Result, at time.Time, letters string) *Ledger {
	l := NewLedger(mine)
	for i, letter := range strings.ReplaceAll(letters, " ", "") {
		address := fmt.Sprintf("10.0.0.%d:8008", i+2)
		l.asked(address, at)
		switch letter {
		case 'F':
			l.answered(address, said{proven: true, failing: true}, at, at)
		case 'S':
			l.answered(address, said{proven: true, ok: true, okAge: time.Millisecond}, at, at)
		case 'O':
			l.answered(address, said{proven: true, ok: true, okAge: time.Minute}, at, at)
		}
	}
	return l
}

// One letter per peer, without this Pod: its table of rules.
func TestDecide(t *testing.T) {
	t.Parallel()
	repeat := strings.Repeat
	for _, tt := range []struct {
		peers string
		want  health.Scope
	}{
		{"-", health.ScopeUnknown}, {"F", health.ScopeShared}, {"S", health.ScopeLocal}, {"O", health.ScopeUnknown},
		{"F S", health.ScopeShared}, {"S -", health.ScopeLocal}, {"F -", health.ScopeShared}, {"- -", health.ScopeUnknown},
		{"S S", health.ScopeLocal}, {"F F", health.ScopeShared}, {"O O", health.ScopeUnknown}, {"S O", health.ScopeLocal},
		{"F - -", health.ScopeUnknown}, {"S S F", health.ScopeLocal}, {"S F F", health.ScopeShared}, {"S - -", health.ScopeUnknown},
		{"S S -", health.ScopeLocal}, {"F F -", health.ScopeShared}, {"S F -", health.ScopeShared},
		{"F F S S", health.ScopeShared}, {"F S S S", health.ScopeLocal}, {"F F - -", health.ScopeShared}, {"F - - -", health.ScopeUnknown},
		{"F F" + repeat("-", 6), health.ScopeUnknown}, {repeat("F", 4) + repeat("-", 4), health.ScopeShared},
		{repeat("F", 4) + repeat("S", 4), health.ScopeShared}, {repeat("F", 3) + repeat("S", 5), health.ScopeLocal},
		{repeat("F", 8) + repeat("S", 8), health.ScopeShared}, {repeat("F", 7) + repeat("S", 9), health.ScopeLocal},
		{repeat("F", 16), health.ScopeShared}, {repeat("S", 16), health.ScopeLocal}, {repeat("S", 8) + repeat("-", 8), health.ScopeLocal},
	} {
		since := epoch
		mine := broken(since, since.Add(2*time.Second))
		l := ledgerOf(mine, since.Add(time.Second), tt.peers)
		fleet := Fleet{Peers: len(strings.ReplaceAll(tt.peers, " ", ""))}
		d := Decide(mine, l, fleet, since.Add(3*time.Second))
		if d.Scope != tt.want {
			t.Errorf("%s: %s (%+v), want %s", tt.peers, d.Scope, d.Finding, tt.want)
		}
		// A check that began before the answers had arrived proves nothing.
		early := broken(since, since.Add(500*time.Millisecond))
		d = Decide(early, ledgerOf(early, since.Add(time.Second), tt.peers), fleet, since.Add(3*time.Second))
		if tt.want == health.ScopeLocal && (d.Scope != health.ScopeUndecided || !d.Look) {
			t.Errorf("%s before a look: %s, look %t", tt.peers, d.Scope, d.Look)
		}
		// What was said counts for three intervals.
		if d := Decide(mine, l, fleet, since.Add(17*time.Second)); d.Scope != health.ScopeUnknown {
			t.Errorf("%s, 16 s later: %s", tt.peers, d.Scope)
		}
		if d := Decide(mine, l, Fleet{Alone: true}, since.Add(3*time.Second)); d.Scope != health.ScopeAlone {
			t.Errorf("%s, alone: %s", tt.peers, d.Scope)
		}
	}
}
