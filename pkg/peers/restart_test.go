package peers_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// simulate runs a scenario with several fleets of n sidecars.
func simulate(t *testing.T, n int, scenario func(f *fleet), edits ...func(*health.Service)) {
	t.Helper()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, n, seed, edits...)
				defer f.end()
				scenario(f)
			})
		})
	}
}

// One Pod's node is dead, so that every round lasts as long as questions may: that
// takes no evidence from the others.
func TestSlowRounds(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{time.Second, interval} {
		simulate(t, 6, func(f *fleet) {
			dead := f.sidecars[5]
			f.set(func(f *fleet) { f.cut = func(_, to *sidecar) bool { return to == dead } })
			f.expect(true, f.sidecars[:5]...)
			f.meet(all(refused))
			f.pass(time.Minute)
			f.meet(all(up))
			f.pass(time.Minute)
		}, func(s *health.Service) { s.Interval, s.PeersTimeout = every, 5*time.Second })
	}
}

// A container that restarts in an outage comes back held, though its service began to fail
// before the peers' last good checks: it may have been well while the container was down.
func TestRestartInAnOutage(t *testing.T) {
	t.Parallel()
	simulate(t, 6, func(f *fleet) {
		since := time.Now().Add(-10 * time.Second)
		f.expect(true, f.sidecars...)
		f.meet(all(refused))
		again := f.add(func(s *health.Service) {
			s.Restored = health.Restored{Proven: true, FailingSince: since, Held: true}
		})
		f.expect(true, again)
		f.pass(40 * time.Second)
		f.meet(all(up))
		f.pass(40 * time.Second)
		f.wantReady(f.sidecars...)
	})
}

// A Pod that was out for a fault of its own does not come back because its sidecar's
// container restarts.
func TestRestartOfAPodThatIsOut(t *testing.T) {
	t.Parallel()
	simulate(t, 6, func(f *fleet) {
		f.expect(true, f.sidecars...)
		f.meet(some(refused, func(s *sidecar) bool { return s.index >= 6 }))
		again := f.add(func(s *health.Service) {
			s.Restored = health.Restored{Proven: true, FailingSince: time.Now().Add(-10 * time.Minute)}
		})
		f.pass(30 * time.Second)
		if again.was {
			f.t.Errorf("it was ready")
		}
	})
}

// Checks that succeed and are not enough yet take no Pod out on the way back.
func TestManySuccessesToWaitFor(t *testing.T) {
	t.Parallel()
	simulate(t, 6, func(f *fleet) {
		f.expect(true, f.sidecars...)
		f.meet(all(refused))
		f.pass(40 * time.Second)
		f.meet(all(up))
		f.pass(2 * time.Minute)
		f.wantReady(f.sidecars...)
	}, func(s *health.Service) { s.SuccessThreshold = 20 })
}

// With SHARED_FAULT=leave a Pod that has left stays out for as long as its service is
// unhealthy, whatever becomes of the others.
func TestLeaveIsAsWithoutPeers(t *testing.T) {
	t.Parallel()
	simulate(t, 6, func(f *fleet) {
		f.meet(all(refused))
		f.pass(2 * time.Minute)
		f.wantOut(f.sidecars...)
		f.meet(some(refused, func(s *sidecar) bool { return s.index >= 4 }))
		f.pass(30 * time.Second)
		f.wantReady(f.sidecars[:4]...)
		for range 100 {
			f.wantOut(f.sidecars[4:]...)
			f.pass(300 * time.Millisecond)
		}
	}, func(s *health.Service) {
		s.SharedFault, s.ReadinessGrace = health.SharedFaultLeave, 30*time.Second
	})
}
