package health_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

func asksPeers(s *health.Service) { s.SharedFault = health.SharedFaultHold }

// held reports whether a cause of the readiness is a hold.
func held(v *health.View) bool {
	for _, c := range v.Readiness().Causes {
		if c.Held {
			return true
		}
	}
	return false
}

// What is found is published at once, with what it means for readiness, and counts for
// the fault that it is about.
func TestMonitorPublishesFindings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := watch(t, service("db", checkedBy(following("HUU")), asksPeers), service("redis", checkedBy(&fake{})))
		for verdict(m, "db") != "unhealthy refused" {
			pass(time.Second)
		}
		same(t, "before anything is known", causes(m.View().Readiness()), "ready db=refused")
		same(t, "held", held(m.View()), true)
		r, _ := m.View().Service("db")
		told := record(m)
		find := func(scope health.Scope, since time.Time) {
			m.Found("db", health.Finding{Scope: scope, Asked: 2, Failing: 1, Sound: 1, Since: since, At: time.Now()})
		}
		find(health.ScopeLocal, r.Since.Add(-time.Second))
		m.Found("nosuch", health.Finding{Scope: health.ScopeLocal, Since: r.Since, At: time.Now()})
		r, _ = m.View().Service("db")
		same(t, "scope after a finding about another fault", r.Scope, health.ScopeUndecided)
		find(health.ScopeLocal, r.Since)
		views := told.all()
		same(t, "as published", causes(views[len(views)-1].Readiness()), "not_ready db=refused")
		find(health.ScopeShared, r.Since)
		same(t, "shared", held(m.View()), true)
		same(t, "in words", m.View().Readiness().String(),
			"db: the connection was refused: nothing listens at that address; held: 1 of 2 peers see it too")
		pass(29 * time.Second)
		same(t, "held with the checks going on", held(m.View()), true)
		pass(time.Second + 1) // three intervals after the finding
		same(t, "held after the goroutine that asks has hung", held(m.View()), false)
		same(t, "readiness then", m.View().Readiness().Ready, false)
	})
}

// A peers goroutine that hangs, whenever it does, holds nothing for longer than three
// intervals: neither what is shared nor what is undecided.
func TestHungPeersReleaseTheHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		interval := ofDuration(time.Second, time.Minute).Draw(t, "interval")
		timeout := ofDuration(100*time.Millisecond, interval).Draw(t, "timeout")
		rounds := rapid.IntRange(0, 5).Draw(t, "rounds")
		last := rapid.SampledFrom(health.Scopes()).Draw(t, "scope")
		rapid.SyncTest(t, func(t *rapid.T) {
			m, _ := watch(t, service("db", checkedBy(following("HUU")), timing(interval, timeout), asksPeers))
			for verdict(m, "db") != "unhealthy refused" {
				pass(interval / 10)
			}
			r, _ := m.View().Service("db")
			for range rounds {
				m.Found("db", health.Finding{Scope: last, Since: r.Since, At: time.Now()})
				pass(time.Second)
			}
			pass(3*interval + 1 + interval*11/10 + timeout + 2*time.Second)
			if held(m.View()) || m.View().Readiness().Ready {
				t.Fatalf("still ready: %v", m.View().Readiness())
			}
		})
	})
}

// CheckSoon begins a check within a second, on a fresh connection.
func TestCheckSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := following("H")
		m, _ := watch(t, service("db", checkedBy(db), timing(time.Hour, 2*time.Second)))
		pass(10 * time.Second)
		asked := time.Now()
		m.CheckSoon("nosuch")
		for range 10 { // one check, however often
			m.CheckSoon("db")
		}
		pass(time.Second)
		seen := db.seen()
		same(t, "checks", len(seen.starts), 2)
		same(t, "within half a second", seen.starts[1].Sub(asked) < time.Second/2, false)
		same(t, "the check that dialled afresh", seen.redials[0], 2)
		pass(30 * time.Second)
		seen = db.seen()
		if n := len(seen.starts); n > 3 || len(seen.redials) != n-1 {
			t.Errorf("%d checks and %d fresh connections, long after it was asked for", n, len(seen.redials))
		}
	})
}

// A check that is running is not doubled, nor, where it hangs, counted more than once per
// interval; the one that was asked for follows it.
func TestCheckSoonWhileOneIsRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		db := &fake{answer: func(_ context.Context, n int) (health.Observation, error) {
			if n == 2 {
				<-release
			}
			return health.Observation{}, nil
		}}
		m, _ := watch(t, service("db", checkedBy(db), timing(10*time.Second, 2*time.Second)))
		for len(db.seen().starts) < 2 {
			pass(100 * time.Millisecond)
		}
		for range 40 {
			m.CheckSoon("db")
			pass(time.Second)
		}
		seen := db.seen()
		same(t, "checks while it hangs", len(seen.starts), 2)
		if r, _ := m.View().Service("db"); r.ConsecutiveFailures > 6 {
			t.Errorf("%d timeouts in 40 s of an interval of 10 s", r.ConsecutiveFailures)
		}
		close(release)
		back := time.Now()
		pass(time.Second)
		seen = db.seen()
		same(t, "checks within a second of its return", len(seen.starts), 3)
		same(t, "most at once", seen.most, 1)
		same(t, "at once", seen.starts[2].Sub(back) < time.Second/2, false)
	})
}

// A sidecar that is killed in a shared outage comes back held, before its first result and
// after it, and so stays while the peers say so.
func TestRestoredComesBackHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		since := time.Now().Add(-time.Hour)
		db := &fake{answer: func(context.Context, int) (health.Observation, error) {
			<-time.After(time.Second)
			return health.Observation{}, faults['U']
		}}
		m, _ := watch(t, service("db", checkedBy(db), restored(true, since), asksPeers))
		same(t, "before the first result", held(m.View()), true)
		pass(2 * time.Second)
		same(t, "verdict", verdict(m, "db"), "unhealthy refused")
		same(t, "after the first result", held(m.View()), true)
		r, _ := m.View().Service("db")
		same(t, "since", r.FailingSince().Equal(since), true)
		pass(10 * time.Second)
		m.Found("db", health.Finding{Scope: health.ScopeShared, Since: since, At: time.Now()})
		pass(30 * time.Second)
		same(t, "told shared", held(m.View()), true)
		pass(1)
		same(t, "told nothing more", held(m.View()), false)
	})
}
