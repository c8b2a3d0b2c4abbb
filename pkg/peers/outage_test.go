package peers_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

// all returns the same for each sidecar.
func all(what server) func(*sidecar) server { return func(*sidecar) server { return what } }

// some returns what for those of a part of the fleet, and up for the rest.
func some(what server, part func(*sidecar) bool) func(*sidecar) server {
	return func(s *sidecar) server {
		if part(s) {
			return what
		}
		return up
	}
}

// split returns the sidecars of a part, and the others.
func (f *fleet) split(part func(*sidecar) bool) (in, out []*sidecar) {
	for _, s := range f.sidecars {
		if part(s) {
			in = append(in, s)
		} else {
			out = append(out, s)
		}
	}
	return in, out
}

// third is a zone of a third of the Pods, rounded down.
func third(s *sidecar) bool { return s.index%3 == 2 }

func notThird(s *sidecar) bool { return !third(s) }

// outage is one that all Pods share, whatever else goes wrong: nobody leaves, neither
// during it nor on the way back.
func outage(what server, also func(*fleet)) func(*fleet) {
	return func(f *fleet) {
		f.expect(true, f.sidecars...)
		f.set(also)
		f.meet(all(what))
		f.pass(40 * time.Second)
		f.meet(all(up)) // each notices at its next check: in a random order
		f.pass(40 * time.Second)
		f.wantReady(f.sidecars...)
	}
}

func nothing(*fleet) {}

// noise loses a tenth of the answers and delays three tenths to the deadline.
func noise(f *fleet) { f.lost, f.late = 0.1, 0.3 }

func TestFleet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		sizes []int
		play  func(*fleet)
	}{
		{"killed", []int{1, 2, 3, 9, 40}, outage(refused, nothing)},
		{"frozen", []int{1, 2, 3, 9, 40}, outage(frozen, nothing)},
		{"killed, answers lost and late", []int{3, 4, 17}, outage(refused, noise)},
		{"frozen, answers lost and late", []int{3, 4, 17}, outage(frozen, noise)},
		{"killed, DNS fails too", []int{2, 3, 9}, outage(refused, func(f *fleet) { f.dns = false })},
		{"slow for a third", []int{3, 9, 40}, leaving(slow, third, nothing)},
		{"a zone of a third without the server", []int{3, 6, 9, 40}, leaving(frozen, third, nothing)},
		{"a zone of a third without server and peers", []int{3, 6, 9, 40}, leaving(frozen, third, isolated)},
		{"one Pod without the server, answers lost and late", []int{4, 9, 40}, leaving(refused, first, noise)},
		{"two thirds without the server", []int{3, 6, 9, 40}, func(f *fleet) {
			f.expect(true, f.sidecars...)
			f.meet(some(frozen, notThird))
			f.pass(time.Minute)
			f.meet(all(up))
			f.pass(40 * time.Second)
		}},
		{"alone, DNS fails too", []int{1}, func(f *fleet) {
			f.set(func(f *fleet) { f.dns = false })
			f.meet(all(refused))
			f.pass(30*time.Second + undecided + leaveBy)
			f.wantOut(f.sidecars...)
		}},
		{"a wrong password is rolled out during an outage", []int{1, 2, 3, 9}, rollout(auth)},
		{"a rolling update during an outage", []int{1, 2, 3, 9}, rollout(refused)},
		{"scale-out during an outage", []int{1, 2, 3, 9}, func(f *fleet) {
			old := f.sidecars
			f.expect(true, old...)
			f.meet(all(refused))
			f.pass(20 * time.Second)
			for range 2*len(old) + 1 {
				f.add()
			}
			f.pass(time.Minute)
			f.meet(all(up))
			f.pass(40 * time.Second)
			f.wantReady(f.sidecars...)
		}},
		{"scale-in during an outage", []int{2, 3, 9, 40}, func(f *fleet) {
			f.expect(true, f.sidecars...)
			f.meet(all(refused))
			f.pass(20 * time.Second)
			for _, s := range f.sidecars[1+len(f.sidecars)/5:] {
				f.remove(s)
			}
			f.pass(time.Minute)
			f.meet(all(up))
			f.pass(40 * time.Second)
		}},
	} {
		for _, n := range tt.sizes {
			t.Run(fmt.Sprintf("%s/%d", tt.name, n), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(seeds) {
					played(t, n, seed, tt.play)
				}
			})
		}
	}
}

const seeds = 2

// leaving is a fault of a part of the fleet: those leave, within the time that it takes
// to tell, nobody else does, and all are there again afterwards.
func leaving(what server, part func(*sidecar) bool, also func(*fleet)) func(*fleet) {
	return func(f *fleet) {
		sick, well := f.split(part)
		f.expect(true, well...)
		f.set(also)
		f.meet(some(what, part))
		f.pass(leaveBy)
		if len(sick) > 1 { // their own answers come first, and look shared
			f.pass(3 * interval)
		}
		for range 60 {
			f.wantOut(sick...)
			f.pass(time.Second / 2)
		}
		f.meet(all(up))
		f.set(func(f *fleet) { f.cut = nil })
		f.pass(30 * time.Second)
		f.wantReady(f.sidecars...)
	}
}

func first(s *sidecar) bool { return s.index == 0 }

// isolated cuts the zone off from all others.
func isolated(f *fleet) { f.cut = func(a, b *sidecar) bool { return third(a) != third(b) } }

// rollout adds new Pods, a quarter and at least one at a time, during an outage. They have
// a fault of their own, which does not end with it: none of them is ever ready, and none
// of the old ones leaves.
func rollout(fault server) func(*fleet) {
	return func(f *fleet) {
		old := f.sidecars
		f.expect(true, old...)
		isNew := func(s *sidecar) bool { return s.index >= len(old) }
		f.meet(func(s *sidecar) server {
			if isNew(s) {
				return fault
			}
			return refused
		})
		f.pass(20 * time.Second)
		for range (len(old) + 3) / 4 {
			f.add()
		}
		f.pass(40 * time.Second)
		f.meet(some(fault, isNew))
		f.pass(20 * time.Second)
		for _, s := range f.sidecars[len(old):] {
			if s.was {
				f.t.Errorf("a new Pod was ready")
			}
		}
	}
}

// A large fleet in one outage: nobody leaves, and no peer is asked more often than in a
// small one.
func TestLargeFleet(t *testing.T) {
	t.Parallel()
	largeFleet(t, 100)
}

func largeFleet(t *testing.T, n int) {
	t.Helper()
	played(t, n, 1, func(f *fleet) {
		f.expect(true, f.sidecars...)
		f.meet(all(refused))
		f.pass(interval*11/10 + time.Second) // each has noticed
		before := f.served()
		const seconds = 6
		f.pass(seconds * time.Second)
		checkLoad(f, before, seconds, sample)
		f.meet(all(up))
		f.pass(interval*11/10 + timeout)
		f.wantReady(f.sidecars...)
	})
}

// Each peer is asked Sample times the share of the failing per second, whatever the size
// of the fleet, and in a small one by each that fails.
func TestRequestsPerPeer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, failing int
		want       float64 // per peer and second
	}{{2, 2, 1}, {9, 9, 8}, {17, 17, 16}, {40, 40, 16}, {60, 20, 16. / 3}, {60, 1, 16. / 60}} {
		t.Run(fmt.Sprintf("%d of %d", tt.failing, tt.n), func(t *testing.T) {
			t.Parallel()
			played(t, tt.n, 1, func(f *fleet) {
				f.meet(some(refused, func(s *sidecar) bool { return s.index < tt.failing }))
				f.pass(interval*11/10 + time.Second)
				before := f.served()
				f.pass(20 * time.Second)
				checkLoad(f, before, 20, tt.want)
			})
		})
	}
}

// A service that readiness does not depend on is asked about once per interval.
func TestRequestsWhereNothingDepends(t *testing.T) {
	t.Parallel()
	played(t, 6, 1, func(f *fleet) {
		f.meet(all(refused))
		f.pass(interval*11/10 + time.Second)
		before := f.served()
		f.pass(40 * time.Second)
		checkLoad(f, before, 40, 1)
		if scope := f.sidecars[0].monitor.View().Results()[0].Scope; scope != health.ScopeShared {
			f.t.Errorf("shown as %s", scope)
		}
	}, func(s *health.Service) { s.Readiness = health.PolicyIgnore })
}

// served is how many questions each has answered.
func (f *fleet) served() []int64 {
	all := make([]int64, len(f.sidecars))
	for i, s := range f.sidecars {
		all[i] = s.served.Load()
	}
	return all
}

// checkLoad compares the questions per peer and second since a moment with what was to be.
func checkLoad(f *fleet, before []int64, seconds, want float64) {
	f.t.Helper()
	var sum, most float64
	for i, n := range f.served() {
		rate := float64(n-before[i]) / seconds
		sum, most = sum+rate, max(most, rate)
	}
	mean := sum / float64(len(before))
	f.t.Logf("%d sidecars: %.2f questions per peer and second, %.2f at most", len(before), mean, most)
	if mean < 0.85*want || mean > 1.1*want+0.05 || most > 2*want+1 {
		f.t.Errorf("%.2f questions per peer and second, %.2f at most; want %.2f", mean, most, want)
	}
}

// While all is well a sidecar asks one peer per minute, and looks the name up as often.
func TestHealthyHour(t *testing.T) {
	t.Parallel()
	played(t, 4, 1, func(f *fleet) {
		f.expect(true, f.sidecars...)
		sent, lookups := f.asked()
		f.pass(time.Hour)
		sentThen, lookupsThen := f.asked()
		for i := range f.sidecars {
			if n := sentThen[i] - sent[i]; n < 54 || n > 67 {
				f.t.Errorf("sidecar %d asked %d times in an hour", i, n)
			}
		}
		if n := (lookupsThen - lookups) / len(f.sidecars); n < 58 || n > 62 {
			f.t.Errorf("%d lookups in an hour", n)
		}
	})
}

// A fault of one Pod among three sound ones or more takes it out within an interval and a
// tenth, the timeout and three seconds of its confirmation. It is local by then, or a
// check that was under way is what it still waits for.
func TestOneFaultIsLocalInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 8).Draw(t, "sidecars")
		every := time.Duration(rapid.IntRange(1000, 20000).Draw(t, "interval")) * time.Millisecond
		bound := time.Duration(rapid.IntRange(100, 3000).Draw(t, "timeout")) * time.Millisecond
		what := rapid.SampledFrom([]server{refused, frozen}).Draw(t, "fault")
		seed := rapid.Uint64().Draw(t, "seed")
		rapid.SyncTest(t, func(t *rapid.T) {
			f := newFleet(t, n, seed, func(s *health.Service) { s.Interval, s.Timeout = every, bound })
			defer f.end()
			f.expect(true, f.sidecars[1:]...)
			f.meet(some(what, first))
			one := f.sidecars[0]
			began := time.Now()
			for one.monitor.View().Results()[0].FailingSince().IsZero() {
				if f.pass(100 * time.Millisecond); time.Since(began) > every*11/10+2*bound+2*time.Second {
					t.Fatal("not confirmed in time")
				}
			}
			f.pass(every*11/10 + bound + 3*time.Second)
			f.wantOut(one)
			f.pass(bound)
			if r := one.monitor.View().Results()[0]; r.Scope != health.ScopeLocal {
				t.Fatalf("%s: %+v", r.Scope, r.Finding)
			}
		})
	})
}
