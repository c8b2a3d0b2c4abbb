package health_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// Whatever a monitor could not keep to is refused, all of it at once, and each problem
// names its service.
func TestNewMonitorRefusesWhatItCannotKeepTo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		services []*health.Service
		want     []string
	}{
		"none": {nil, nil},
		"good": {[]*health.Service{
			service("db"), service("redis", policy(health.PolicyStartup, 0)), service("minio", policy(health.PolicyIgnore, time.Hour)),
		}, nil},
		"empty": {[]*health.Service{{}}, []string{
			`service 1 has no name: give it one`,
			`service "": it has no checker`,
			`service "": the interval is 0s, and must be above zero`,
			`service "": the timeout is 0s, and must be above zero`,
			`service "": the failure threshold is 0, and must be 1 or more`,
			`service "": the success threshold is 0, and must be 1 or more`,
			`service "": the readiness is "", and must be strict, startup or ignore`,
		}},
		"below zero": {[]*health.Service{service("db", timing(-1, -2), thresholds(-3, -4), policy("lenient", -5), slowAbove(-6))}, []string{
			`service "db": the interval is -1ns, and must be above zero`,
			`service "db": the timeout is -2ns, and must be above zero`,
			`service "db": the failure threshold is -3, and must be 1 or more`,
			`service "db": the success threshold is -4, and must be 1 or more`,
			`service "db": the degraded latency is -6ns, and must be 0 (none) or more`,
			`service "db": the readiness grace is -5ns, and must be 0 (none) or more`,
			`service "db": the readiness is "lenient", and must be strict, startup or ignore`,
		}},
		"several": {[]*health.Service{service("db"), nil, service("redis", checkedBy(nil)), service("db", timing(0, 1))}, []string{
			`service 2 has no name: give it one`,
			`service "redis": it has no checker`,
			`service "db" is listed twice: give each a different name`,
			`service "db": the interval is 0s, and must be above zero`,
		}},
	} {
		m, err := health.NewMonitor(test.services)
		if len(test.want) == 0 {
			if err != nil || m == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if want := "monitor services: " + strings.Join(test.want, "\n"); err == nil || err.Error() != want || m != nil {
			t.Errorf("%s: got\n%v\nwant\n%s", name, err, want)
		}
	}
}

func slowAbove(d time.Duration) func(*health.Service) {
	return func(s *health.Service) { s.DegradedLatency = d }
}

func TestNothingIsCheckedBeforeStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &fake{}
		m := newMonitor(t, service("db", checkedBy(db)))
		first := m.View()
		pass(time.Minute)
		same(t, "checks", len(db.seen().starts), 0)
		same(t, "first view", first.Results()[0].Status, health.Unknown)
		same(t, "a minute later", verdict(m, "db"), "unhealthy stale")
	})
}

func TestFirstCheckComesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, redis := &fake{}, following("U")
		m, _ := watch(t, service("db", checkedBy(db)), service("redis", checkedBy(redis)))
		same(t, "db", verdict(m, "db"), "healthy")
		same(t, "redis", verdict(m, "redis"), "unhealthy refused")
		same(t, "checks", len(db.seen().starts)+len(redis.seen().starts), 2)
	})
}

func TestSubscribersSeeEveryViewInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, stop := watch(t, service("a", checkedBy(&fake{})), service("b", checkedBy(following("HUUHU"))))
		subscriber := record(m)
		same(t, "at once", len(subscriber.all()), 1)
		same(t, "the present one", subscriber.all()[0], m.View())
		pass(5 * time.Minute)
		_ = stop()
		seen := subscriber.all()
		for i, v := range seen[1:] {
			same(t, "outcomes since the last view", counted(v)-counted(seen[i]), 1)
			same(t, "goes back in time", v.Time().Before(seen[i].Time()), false)
		}
		if len(seen) < 50 {
			t.Errorf("%d views in five minutes", len(seen))
		}
		same(t, "the last one", seen[len(seen)-1], m.View())
	})
}

// counted is how many outcomes a view rests on.
func counted(v *health.View) (n uint64) {
	for _, r := range v.Results() {
		n += r.Checks + r.Discarded
	}
	return n
}

func TestUpdatesNeverLoseTheLatest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		published, want int // not counting the present one
	}{
		{"a reader in time", 3, 4},
		{"the buffer is full", 63, 64},
		{"a reader too late", 500, 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMonitor(t)
			updates := m.Updates()
			subscriber := record(m)
			for range tt.published {
				m.Override(health.OverrideReady)
			}
			var got []*health.View
			for len(updates) > 0 {
				got = append(got, <-updates)
			}
			all := subscriber.all()
			want := all[len(all)-tt.want:]
			if !cmp.Equal(got, want, cmp.Comparer(func(a, b *health.View) bool { return a == b })) {
				t.Errorf("got %d updates that are not the latest %d", len(got), tt.want)
			}
		})
	}
}

func TestOverrideAndDrainOutliveChecks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := watch(t, service("db", checkedBy(&fake{})))
		ready := func() string { return causes(m.View().Readiness()) }
		same(t, "at first", ready(), "ready")
		m.Override(health.OverrideNotReady)
		pass(time.Minute)
		same(t, "overridden", ready(), "not_ready override=override")
		m.Override(health.NoOverride)
		same(t, "lifted", ready(), "ready")
		m.Drain()
		same(t, "draining", ready(), "not_ready shutdown=shutdown")
		m.Override(health.OverrideReady)
		pass(time.Minute)
		same(t, "draining is for good", ready(), "not_ready override=override shutdown=shutdown")
		same(t, "verdict", verdict(m, "db"), "healthy")
	})
}

// A view that one service or an override caused must not carry another's
// expired result as fresh: readers render it as it is published.
func TestPublishedViewsHoldNoExpiredResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, stop := watch(t, service("db", checkedBy(&fake{})))
		_ = stop()
		pass(22*time.Second + 1)
		m.Override(health.OverrideReady)
		r := m.View().Results()[0]
		same(t, "status", r.Status, health.Unhealthy)
		same(t, "reason", r.Reason(), health.ReasonStale)
		same(t, "since", r.Since, r.Expires())
	})
}

func TestStartReturnsWhenEveryCheckIsBack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		check *fake
		after time.Duration // the cancellation comes
	}{
		{"asleep", &fake{}, 5 * time.Second},
		{"in a check that minds its context", waiting(), time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, stop := watch(t, service("db", checkedBy(tt.check)))
				pass(tt.after)
				canceled, before, published := time.Now(), m.View(), record(m)
				same(t, "error", stop(), nil)
				same(t, "time to return", time.Since(canceled), 0)
				same(t, "checks that came back", len(tt.check.seen().ends), len(tt.check.seen().starts))
				pass(time.Minute)
				same(t, "views from the cancellation on", len(published.all()), 1)
				same(t, "the last view, with no fault for the check cut short", published.all()[0], before)
			})
		})
	}
}

func TestStartAbandonsAStuckCheck(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{time.Second, 5 * time.Second} { // before and past its timeout
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			m, stop := watch(t, service("db", checkedBy(&fake{})), service("minio", checkedBy(stuck(release))))
			pass(after)
			canceled, subscriber := time.Now(), record(m)
			err := stop()
			same(t, "time to return", time.Since(canceled), time.Second)
			const want = "check minio: still running 1s after its context ended: abandoned"
			if err == nil || err.Error() != want {
				t.Errorf("got the error %v, want %s", err, want)
			}
			close(release)
			pass(time.Minute)
			same(t, "views from the cancellation on", len(subscriber.all()), 1)
		})
	}
}

// While a check is in flight the monitor wakes up often enough to tell a late
// answer from its own lateness.
func TestWakesTwentyTimesATimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, _ := watch(t, service("db", timing(time.Minute, 2*time.Second), checkedBy(waiting())))
		for range 199 {
			pass(9 * time.Millisecond)
			if idle := m.Idle(); idle > 100*time.Millisecond {
				t.Fatalf("asleep for %s of a timeout of 2s", idle)
			}
		}
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		interval, timeout time.Duration
		check             func(release <-chan struct{}) *fake
	}{
		{"long interval", 10 * time.Minute, time.Second, func(<-chan struct{}) *fake { return &fake{} }},
		{"long timeout", time.Minute, 5 * time.Minute, func(<-chan struct{}) *fake { return waiting() }},
		{"a check that never comes back", 10 * time.Minute, 5 * time.Minute, stuck},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)
				db := service("db", timing(tt.interval, tt.timeout), checkedBy(tt.check(release)))
				m, stop := watch(t, service("redis", checkedBy(&fake{})), db)
				for range 3600 {
					pass(time.Second)
					if idle := m.Idle(); idle > 10*time.Second {
						t.Fatalf("idle for %s while all is well", idle)
					}
				}
				_ = stop()
				stopped := m.Idle()
				pass(time.Hour)
				same(t, "idle once stopped", m.Idle(), stopped+time.Hour)
			})
		})
	}
}
