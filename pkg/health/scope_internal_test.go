package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(seconds float64) time.Time {
	return begin.Add(time.Duration(seconds * float64(time.Second)))
}

// strict is a service whose findings count for 15 s and whose faults are undecided for 9.5 s.
func strict(edits ...func(*Service)) *Service {
	s := &Service{
		Name: "db", Interval: 5 * time.Second, Timeout: 2 * time.Second, FailureThreshold: 1, SuccessThreshold: 1,
		Readiness: PolicyStrict, SharedFault: SharedFaultHold,
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func graceOf(d time.Duration) func(*Service)   { return func(s *Service) { s.ReadinessGrace = d } }
func policyOf(p Policy) func(*Service)         { return func(s *Service) { s.Readiness = p } }
func onShared(what SharedFault) func(*Service) { return func(s *Service) { s.SharedFault = what } }
func restoredSince(t time.Time) func(*Service) {
	return func(s *Service) { s.Restored = Restored{Proven: true, FailingSince: t, Held: true} }
}

// notHeld takes back that what was restored was held.
func notHeld(s *Service) { s.Restored.Held = false }

func intervalOf(d time.Duration) func(*Service) { return func(s *Service) { s.Interval = d } }

func peersTimeoutOf(d time.Duration) func(*Service) {
	return func(s *Service) { s.PeersTimeout = d }
}

func successesOf(n int) func(*Service) {
	return func(s *Service) { s.SuccessThreshold = n }
}

// told is a finding and the second at which it came in.
type told struct {
	at    float64
	scope Scope
}

// failed is a result that fails from begin on, was checked at now as well, and was given
// the findings. A service that nothing was restored for was healthy a minute before.
func failed(svc *Service, proven bool, findings []told, now time.Time) Result {
	down := func(t time.Time) Outcome {
		return Outcome{Started: t, Finished: t, Fault: &Fault{Reason: ReasonRefused}}
	}
	r := NewResult(svc, begin.Add(-time.Minute))
	switch {
	case !svc.Restored.FailingSince.IsZero():
		r = NewResult(svc, begin)
	case proven:
		r = r.Next(Outcome{Started: begin.Add(-time.Second), Finished: begin.Add(-time.Second)}).Next(down(begin))
	default:
		r = r.Next(down(begin))
	}
	for _, f := range findings {
		t := after(f.at)
		r = r.found(Finding{Scope: f.scope, Since: r.FailingSince(), At: t}, t)
	}
	if now.After(begin) {
		r = r.Next(down(now))
	}
	return r
}

// state writes what a reader is told: the scope, and held, grace, ready or out.
func state(v *View) string {
	ready := v.Readiness()
	word := "out"
	if ready.Ready {
		word = "ready"
	}
	for _, c := range ready.Causes {
		switch {
		case c.Held:
			word = "held"
		case c.Grace:
			word = "grace"
		}
	}
	return strings.TrimSpace(string(v.Results()[0].Scope) + " " + word)
}

// The table of fleet scopes: what a strict service that fails means for readiness, and up
// to when that holds with nothing new.
func TestScopeDecidesReadiness(t *testing.T) {
	t.Parallel()
	const ns = 1e-9
	grace := graceOf(5 * time.Second)
	shared := []told{{2, ScopeShared}}
	for _, tt := range []struct {
		name     string
		svc      *Service
		findings []told
		now      float64
		want     string
		until    float64 // 0: when the result goes stale
	}{
		{"nothing known yet", strict(), nil, 0, "undecided held", 9.5},
		{"nothing known, to the last moment", strict(), nil, 9.5, "undecided held", 9.5},
		{"nothing known for too long", strict(), nil, 9.5 + ns, "unknown out", 0},
		{"nothing known, then a grace", strict(graceOf(12 * time.Second)), nil, 9.5 + ns, "unknown grace", 12},
		{"nothing known, a grace that is over", strict(grace), nil, 9.5 + ns, "unknown out", 0},
		{"too few told", strict(), []told{{1, ScopeUnknown}}, 2, "undecided held", 9.5},
		{"too few told for too long", strict(), []told{{1, ScopeUnknown}}, 9.5 + ns, "unknown out", 0},
		{"undecided", strict(), []told{{3, ScopeUndecided}}, 9.5, "undecided held", 9.5},
		{"undecided for too long", strict(), []told{{3, ScopeUndecided}}, 9.5 + ns, "unknown out", 0},
		{"undecided, and then nothing more is told", strict(timeoutOf(time.Minute)), []told{{3, ScopeUndecided}}, 18, "undecided held", 18},
		{"undecided, and nothing more was told", strict(timeoutOf(time.Minute)), []told{{3, ScopeUndecided}}, 18 + ns, "unknown out", 0},
		{"local", strict(), []told{{3, ScopeLocal}}, 3, "local out", 0},
		{"local, under its grace", strict(grace), []told{{3, ScopeLocal}}, 3, "local grace", 5},
		{"local, its grace over", strict(grace), []told{{3, ScopeLocal}}, 5 + ns, "local out", 0},
		{"local, not told for long", strict(), []told{{3, ScopeLocal}}, 18 + ns, "unknown out", 0},
		{"shared", strict(), shared, 2, "shared held", 0},
		{"shared, whatever its grace", strict(grace), shared, 2, "shared held", 17},
		{"shared, at the end of its life", strict(), shared, 17, "shared held", 17},
		{"shared, past it", strict(), shared, 17 + ns, "unknown out", 0},
		{"shared, past it, a grace anew", strict(grace), shared, 17 + ns, "unknown grace", 22},
		{"shared, past it, the grace is over", strict(grace), shared, 22 + ns, "unknown out", 0},
		{"alone", strict(), []told{{2, ScopeAlone}}, 17, "alone held", 17},
		{"alone, past it", strict(grace), []told{{2, ScopeAlone}}, 17 + ns, "unknown grace", 22},
		{"shared, then local", strict(), []told{{2, ScopeShared}, {16, ScopeLocal}}, 16, "local out", 0},
		{"shared, then local, a grace anew", strict(grace), []told{{2, ScopeShared}, {16, ScopeLocal}}, 16, "local grace", 21},
		{"shared, then alone", strict(), []told{{2, ScopeShared}, {16, ScopeAlone}}, 16, "alone held", 0},
		{"shared, then too few", strict(), []told{{2, ScopeShared}, {16, ScopeUnknown}}, 25.5, "undecided held", 25.5},
		{"shared, then too few for too long", strict(grace), []told{{2, ScopeShared}, {16, ScopeUnknown}, {20, ScopeUnknown}}, 25.5 + ns, "unknown out", 0},
		{"shared, then too few, a longer grace", strict(graceOf(12 * time.Second)), []told{{2, ScopeShared}, {16, ScopeUnknown}}, 25.5 + ns, "unknown grace", 28},
		{"shared, past it, then too few", strict(), []told{{2, ScopeShared}, {20, ScopeUnknown}}, 26.5, "undecided held", 26.5},
		{"shared again", strict(), []told{{2, ScopeShared}, {16, ScopeUnknown}, {26, ScopeShared}}, 26, "shared held", 0},
		{"to leave", strict(onShared(SharedFaultLeave)), shared, 2, "shared out", 0},
		{"to leave, at once", strict(onShared(SharedFaultLeave)), nil, 0, "undecided out", 0},
		{"to leave, after its grace", strict(onShared(SharedFaultLeave), grace), shared, 2, "shared grace", 5},
		{"no peers", strict(onShared("")), shared, 2, "out", 0},
		{"no peers, in its grace", strict(onShared(""), grace), shared, 2, "grace", 5},
		{"startup", strict(policyOf(PolicyStartup)), shared, 2, "shared ready", 0},
		{"ignore", strict(policyOf(PolicyIgnore)), shared, 2, "shared ready", 0},
		{"restored", strict(restoredSince(after(-60))), nil, 0, "undecided held", 9.5},
		{"restored, failed again", strict(restoredSince(after(-60))), nil, 9.5, "undecided held", 9.5},
		{"restored, nothing told", strict(restoredSince(after(-60))), nil, 9.5 + ns, "unknown out", 0},
		{"restored, was out", strict(restoredSince(after(-60)), notHeld), nil, 0, "unknown out", 0},
		{"restored, was out, failed again", strict(restoredSince(after(-60)), notHeld), nil, 5, "unknown out", 0},
		{"restored, was out, began just before", strict(restoredSince(after(-4)), notHeld), nil, 5, "undecided held", 5.5},
		{"restored, was out, and now shared", strict(restoredSince(after(-60)), notHeld), shared, 3, "shared held", 0},
		{"restored, then a grace anew", strict(restoredSince(after(-60)), graceOf(12*time.Second)), nil, 9.5 + ns, "unknown grace", 12},
		{"peers that are slow to answer", strict(peersTimeoutOf(5 * time.Second)), nil, 17.5, "undecided held", 17.5},
		{"peers that are too slow to answer", strict(peersTimeoutOf(5 * time.Second)), nil, 17.5 + ns, "unknown out", 0},
		{"peers that are slow, short interval", strict(peersTimeoutOf(5*time.Second), intervalOf(time.Second)), shared, 17, "shared held", 17},
		{"many successes to wait for", strict(successesOf(11)), nil, 39.5, "undecided held", 39.5},
		{"to leave, shared and then local, no grace anew", strict(onShared(SharedFaultLeave), grace), []told{{2, ScopeShared}, {16, ScopeLocal}}, 16, "local out", 0},
		{"to leave, shared, past it, no grace anew", strict(onShared(SharedFaultLeave), grace), shared, 17 + ns, "unknown out", 0},
		{"restored, shared", strict(restoredSince(after(-60))), shared, 11, "shared held", 17},
		{"restored, shared, past it", strict(restoredSince(after(-60)), grace), shared, 17 + ns, "unknown grace", 22},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := after(tt.now)
			r := failed(tt.svc, true, tt.findings, now)
			v := NewView(now, []Result{r}, NoOverride, false)
			if got := state(v); got != tt.want {
				t.Errorf("%s, want %s: %v", got, tt.want, v.Readiness())
			}
			until := r.Expires()
			if tt.until != 0 {
				until = earlier(until, after(tt.until))
			}
			// A moment that changes nothing for this service may end the view early.
			if got := v.Until(); got.After(until) || tt.until != 0 && !got.Equal(until) {
				t.Errorf("until %s, want %s", got.Sub(begin), until.Sub(begin))
			}
		})
	}
}

func timeoutOf(d time.Duration) func(*Service) { return func(s *Service) { s.Timeout = d } }

// Whatever the peers say, nothing is held that was never proven, that is stale, or that
// something else decides on.
func TestNotHeld(t *testing.T) {
	t.Parallel()
	for _, scope := range Scopes() {
		findings := []told{{1, scope}}
		proven, unproven := failed(strict(), true, findings, after(2)), failed(strict(), false, findings, after(2))
		for name, v := range map[string]*View{
			"unproven":            NewView(after(2), []Result{unproven}, NoOverride, false),
			"stale":               NewView(proven.Expires().Add(1), []Result{proven}, NoOverride, false),
			"ready by override":   NewView(after(2), []Result{proven}, OverrideReady, false),
			"not ready by it":     NewView(after(2), []Result{proven}, OverrideNotReady, false),
			"draining":            NewView(after(2), []Result{proven}, NoOverride, true),
			"draining, overruled": NewView(after(2), []Result{proven}, OverrideReady, true),
		} {
			ready := v.Readiness()
			for _, c := range ready.Causes {
				if c.Held {
					t.Errorf("%s, %s: held", name, scope)
				}
			}
			if ready.Ready != (name == "ready by override") {
				t.Errorf("%s, %s: ready %t", name, scope, ready.Ready)
			}
		}
		if stale := proven.At(proven.Expires().Add(1)); stale.Scope != ScopeLocal {
			t.Errorf("%s: stale reads %s", scope, stale.Scope)
		}
	}
}

// A finding is of one fault. It is not taken in for another, and does not outlive its own.
func TestFindingOfAnotherFault(t *testing.T) {
	t.Parallel()
	r := failed(strict(), true, nil, after(1))
	for _, since := range []time.Time{{}, after(-1), after(1)} {
		if got := r.found(Finding{Scope: ScopeShared, Since: since, At: after(1)}, after(1)); got.At(after(1)).Scope != ScopeUndecided {
			t.Errorf("a finding since %s counts for a fault since %s", since, r.FailingSince())
		}
	}
	r = r.found(Finding{Scope: ScopeShared, Since: begin, At: after(1)}, after(1))
	r = r.Next(Outcome{Started: after(2), Finished: after(2)})
	if r.Finding != (Finding{}) {
		t.Errorf("it is well, and has the finding %+v", r.Finding)
	}
	r = r.Next(Outcome{Started: after(3), Finished: after(3), Fault: &Fault{Reason: ReasonRefused}}).At(after(3))
	if r.Scope != ScopeUndecided {
		t.Errorf("a new fault begins as %s", r.Scope)
	}
}

// Over random histories, findings, overrides and moments: nothing is held that was never
// proven or is stale, and a view says exactly when it changes on its own.
func TestHoldProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		svc := strict(graceOf(time.Duration(rapid.IntRange(0, 20).Draw(t, "grace"))*time.Second),
			policyOf(rapid.SampledFrom([]Policy{PolicyStrict, PolicyStrict, PolicyStartup, PolicyIgnore}).Draw(t, "policy")),
			onShared(rapid.SampledFrom([]SharedFault{SharedFaultHold, SharedFaultHold, SharedFaultLeave, ""}).Draw(t, "on shared")),
			timeoutOf(rapid.SampledFrom([]time.Duration{2 * time.Second, 30 * time.Second}).Draw(t, "timeout")))
		svc.FailureThreshold = rapid.IntRange(1, 2).Draw(t, "failure threshold")
		if rapid.Bool().Draw(t, "restored") {
			svc.Restored = Restored{Proven: rapid.Bool().Draw(t, "proven"), FailingSince: after(-60)}
		}
		r, now := NewResult(svc, begin), begin
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 9000).Draw(t, "gap")) * time.Millisecond)
			switch rapid.SampledFrom([]string{"up", "down", "down", "found", "found", "found"}).Draw(t, "step") {
			case "up":
				r = r.Next(Outcome{Started: now, Finished: now})
			case "down":
				r = r.Next(Outcome{Started: now, Finished: now, Fault: &Fault{Reason: ReasonRefused}})
			case "found":
				r = r.At(now) // as a monitor publishes it
				since := rapid.SampledFrom([]time.Time{r.FailingSince(), r.FailingSince(), r.FailingSince(), begin}).Draw(t, "since")
				r = r.found(Finding{Scope: rapid.SampledFrom(Scopes()).Draw(t, "scope"), Since: since, At: now}, now)
			}
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 30000).Draw(t, "later")) * time.Millisecond)
		override := rapid.SampledFrom([]Override{NoOverride, NoOverride, NoOverride, OverrideReady}).Draw(t, "override")
		draining := rapid.IntRange(0, 5).Draw(t, "draining") == 0
		checkHold(t, NewView(now, []Result{r}, override, draining), now)
	})
}

func checkHold(t *rapid.T, v *View, now time.Time) {
	read, ready := v.Results()[0], v.Readiness()
	for _, c := range ready.Causes {
		if c.Held && (!read.Proven || read.Reason() == ReasonStale || read.FailingSince().IsZero() || v.Draining() ||
			v.Override() != NoOverride || read.Service.SharedFault != SharedFaultHold || read.Service.Readiness != PolicyStrict) {
			t.Fatalf("held: %+v", read)
		}
		if c.Held && c.Grace {
			t.Fatal("held and under a grace")
		}
	}
	if read.FailingSince().IsZero() != (read.Scope == "") && read.Service.SharedFault != "" {
		t.Fatalf("failing since %s with the scope %q", read.FailingSince(), read.Scope)
	}
	show := func(at time.Time) string {
		v := v.snapshot.at(at)
		return fmt.Sprintln(state(v), v.Readiness().Causes, v.Results()[0].Status)
	}
	if until := v.Until(); !until.IsZero() {
		moment := now.Add(time.Duration(rapid.Float64Range(0, 1).Draw(t, "share") * float64(until.Sub(now))))
		if show(moment) != show(now) {
			t.Fatalf("%s before %s\n%sis already\n%s", until.Sub(moment), until, show(now), show(moment))
		}
		if past := show(until.Add(1)); past == show(now) && !until.Equal(read.Expires()) {
			t.Fatalf("nothing changed past %s: %s", until.Sub(begin), past)
		}
	} else if show(now.Add(time.Hour)) != show(now) {
		t.Fatalf("nothing was to change, yet\n%sturned into\n%s", show(now), show(now.Add(time.Hour)))
	}
}

// A hold that ends because there is no result any more has its grace anew, too.
func TestStaleAfterTheHold(t *testing.T) {
	t.Parallel()
	r := failed(strict(graceOf(30*time.Second)), true, []told{{2, ScopeShared}}, after(2))
	for s := 5.0; s <= 300; s += 5 {
		r = r.found(Finding{Scope: ScopeShared, Since: r.FailingSince(), At: after(s)}, after(s))
		r = r.Next(Outcome{Started: after(s), Finished: after(s), Fault: &Fault{Reason: ReasonRefused}})
	}
	for at, want := range map[float64]string{312: "shared held", 312.1: "local grace", 342: "local grace", 342.1: "local out"} {
		if got := state(NewView(after(at), []Result{r}, NoOverride, false)); got != want {
			t.Errorf("after %.1f s: %s, want %s", at, got, want)
		}
	}
}
