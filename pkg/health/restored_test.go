package health_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

func restored(proven bool, failingSince time.Time) func(*health.Service) {
	return func(s *health.Service) {
		s.Restored = health.Restored{Proven: proven, FailingSince: failingSince, Held: true}
	}
}

// What a restarted sidecar makes of its Pod, before its first result and after it.
func TestReadinessAfterARestart(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Second
	var never time.Time
	tests := []struct {
		name    string
		policy  health.Policy
		grace   time.Duration
		proven  bool
		since   time.Time     // the epoch is when the new process begins
		history string        // of the new process, one outcome per second
		later   time.Duration // than the last outcome
		want    string
	}{
		{"startup, proven, no result", health.PolicyStartup, 0, true, never, "", 0, "ready"},
		{"startup, proven, in an outage", health.PolicyStartup, 0, true, at(-60), "", 0, "ready"},
		{"startup, proven, the outage goes on", health.PolicyStartup, 0, true, at(-60), "UUU", 0, "ready"},
		{"startup, unproven, in an outage", health.PolicyStartup, 0, false, at(-60), "UU", 0, "not_ready db=refused"},
		{"startup, unproven, no result", health.PolicyStartup, 0, false, never, "", 0, "not_ready db=no_result"},
		{"strict, proven and well, no result", health.PolicyStrict, 0, true, never, "", 0, "ready"},
		{"strict, proven and well, never a result", health.PolicyStrict, 0, true, never, "", time.Minute, "not_ready db=stale"},
		{"strict, proven and well, then down", health.PolicyStrict, 0, true, never, "U", 0, "not_ready db=refused"},
		{"strict, proven and well, then suspect", health.PolicyStrict, 0, true, never, "S", 0, "ready"},
		{"strict, proven and well, then schema_behind", health.PolicyStrict, 0, true, never, "P", 0, "ready"},
		{"strict, failing, no result", health.PolicyStrict, 0, true, at(-60), "", 0, "not_ready db=no_result"},
		{"strict, failing, then well", health.PolicyStrict, 0, true, at(-60), "H", 0, "ready"},
		{"strict, failing, a starved check says nothing", health.PolicyStrict, grace, true, at(-60), "X", 0, "not_ready db=no_result"},
		{"strict, in its grace, no result", health.PolicyStrict, grace, true, at(-2), "", 0, "ready db=no_result(grace)"},
		{"strict, its grace ends before a result", health.PolicyStrict, grace, true, at(-2), "", 3*time.Second + 1, "not_ready db=no_result"},
		{"strict, the grace counts from the recorded beginning", health.PolicyStrict, grace, true, at(-2), "U", 2 * time.Second, "ready db=refused(grace)"},
		{"strict, the grace is not renewed by a restart", health.PolicyStrict, grace, true, at(-2), "U", 2*time.Second + 1, "not_ready db=refused"},
		{"strict, a new outage has a grace of its own", health.PolicyStrict, grace, true, at(-60), "HUU", 0, "ready db=refused(grace)"},
		{"strict, stale before any result", health.PolicyStrict, grace, true, at(-2), "", time.Minute, "not_ready db=stale"},
		{"strict, a clock that went back", health.PolicyStrict, grace, true, at(3600), "U", grace - time.Second, "ready db=refused(grace)"},
		{"strict, a clock that went back gives one grace", health.PolicyStrict, grace, true, at(3600), "U", grace - time.Second + 1, "not_ready db=refused"},
		{"strict, unproven has no grace", health.PolicyStrict, grace, false, at(-2), "U", 0, "not_ready db=refused"},
		{"ignore", health.PolicyIgnore, 0, false, at(-60), "U", 0, "ready"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := final(service("db", policy(tt.policy, tt.grace), restored(tt.proven, tt.since)), tt.history)
			now := at(float64(len(tt.history))).Add(tt.later)
			same(t, "readiness", causes(reading(now, r).Readiness()), tt.want)
		})
	}
}

// What is restored is no result: the status is unknown, and /health says so.
func TestRestoredIsNoStatus(t *testing.T) {
	t.Parallel()
	for _, since := range []time.Time{{}, at(-60)} {
		r := health.NewResult(service("db", restored(true, since)), epoch)
		same(t, "status", r.Status, health.Unknown)
		same(t, "reason", r.Reason(), health.ReasonNoResult)
		same(t, "overall", reading(epoch, r).Status(), health.Unhealthy)
		same(t, "in doubt", r.InDoubt(), false)
	}
}

// Since tells of the whole outage, also of the part that an earlier process saw, and
// of nothing else.
func TestSinceAfterARestart(t *testing.T) {
	t.Parallel()
	for history, want := range map[string]time.Time{
		"U": at(-60), "UU": at(-60), "XU": at(-60), "H": at(1), "HUU": at(3), "D": at(1), "DUU": at(3),
	} {
		same(t, "since after "+history, final(service("db", restored(true, at(-60))), history).Since, want)
	}
}

// A process that is restarted at any moment, and given what the one before knew, judges
// readiness as one that was never restarted.
func TestARestartChangesNoReadiness(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		svc := drawService(t, "db")
		r, now := health.NewResult(svc, epoch), epoch
		for _, letter := range drawHistory(t) {
			now = now.Add(drawGap(t, svc))
			r = r.Next(outcome(letter, now))
		}
		now = now.Add(drawGap(t, svc))
		r = r.At(now)
		again := *svc
		again.Restored = health.Restored{Proven: r.Proven, FailingSince: r.FailingSince()}
		next := health.NewResult(&again, now)
		if was, is := readyAt(r, now), readyAt(next, now); was != is {
			t.Fatalf("readiness was %t before the restart, and is %t after it: %+v", was, is, r)
		}
		since := r.FailingSince()
		for range 5 { // the outage, if it is one, goes on
			now = now.Add(ofDuration(1, svc.Interval).Draw(t, "gap"))
			r, next = r.Next(outcome('U', now)), next.Next(outcome('U', now))
			if next.Proven != r.Proven {
				t.Fatalf("proven is %t, and %t without a restart", next.Proven, r.Proven)
			}
			if !since.IsZero() && (!next.FailingSince().Equal(since) || !r.FailingSince().Equal(since)) {
				t.Fatalf("failing since %s, and since %s without a restart, want %s", next.FailingSince(), r.FailingSince(), since)
			}
			if !since.IsZero() && readyAt(r, now) != readyAt(next, now) {
				t.Fatalf("readiness is %t, and %t without a restart", readyAt(next, now), readyAt(r, now))
			}
		}
	})
}

func readyAt(r health.Result, now time.Time) bool {
	return reading(now, r).Readiness().Ready
}

// A monitor publishes what was restored before its first check has ended, and its
// readers are told when the grace that was begun before it ends.
func TestMonitorBeginsWithWhatWasRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const grace = time.Minute
		svc := service("db", checkedBy(following("U")), policy(health.PolicyStrict, grace), restored(true, time.Now().Add(-grace/2)))
		m := newMonitor(t, svc)
		same(t, "before Start", causes(m.View().Readiness()), "ready db=no_result(grace)")
		begin := time.Now()
		run(t, m)
		same(t, "first result", causes(m.View().Readiness()), "ready db=refused(grace)")
		pass(grace/2 - time.Since(begin))
		same(t, "at its end", causes(m.View().Readiness()), "ready db=refused(grace)")
		pass(1)
		same(t, "past its end", causes(m.View().Readiness()), "not_ready db=refused")
	})
}
