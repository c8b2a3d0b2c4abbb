package health_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

func TestIntervalIsJitteredByATenth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &fake{answer: func(context.Context, int) (health.Observation, error) {
			pass(time.Second)
			return health.Observation{}, nil
		}}
		_, stop := watch(t, service("db", checkedBy(db), timing(10*time.Second, 2*time.Second)))
		pass(time.Hour)
		_ = stop()
		seen, shortest, longest := db.seen(), time.Hour, time.Duration(0)
		for i, start := range seen.starts[2:] { // the first pause is another: see TestChecksPartAfterAStart
			pause := start.Sub(seen.ends[i+1])
			shortest, longest = min(shortest, pause), max(longest, pause)
		}
		if shortest < 9*time.Second || shortest > 9200*time.Millisecond ||
			longest > 11*time.Second || longest < 10800*time.Millisecond {
			t.Errorf("pauses from %s to %s in an hour of an interval of 10s", shortest, longest)
		}
		same(t, "redials of a healthy service", len(seen.redials), 0)
	})
}

// What brings the checks of many Pods together, a start, an outage or a restart of the server,
// parts them again within an interval: then a tenth of it has no more than a tenth of them, and
// half as many again.
func TestChecksPartAfterAStart(t *testing.T) {
	t.Parallel()
	const pods, interval = 1000, 10 * time.Second
	for name, tt := range map[string]struct {
		history string
		lost    bool // a connection, in the middle of the second interval
		from    time.Duration
	}{
		"start":           {"H", false, 11 * time.Second},
		"outage":          {"UUUUUUUU", false, 13 * time.Second},
		"end of a fault":  {"HUHHHHHH", false, 36 * time.Second},
		"lost connection": {"H", true, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var fakes []*fake
				lost := make(chan struct{})
				for range pods {
					f := following(tt.history)
					fakes = append(fakes, f)
					watch(t, service("db", checkedBy(f), timing(interval, time.Second), func(s *health.Service) { s.Lost = lost }))
				}
				began := time.Now()
				if tt.lost {
					pass(15 * time.Second)
					for range pods {
						lost <- struct{}{}
					}
				}
				pass(tt.from + interval - time.Since(began))
				var tenths [10]int
				for _, f := range fakes {
					for _, start := range f.seen().starts {
						if d := start.Sub(began) - tt.from; d >= 0 && d < interval {
							tenths[d/(interval/10)]++
						}
					}
				}
				for _, n := range tenths {
					if n < pods/20 || n > pods*3/20 {
						t.Fatalf("checks of %d Pods, by tenths of an interval: %v", pods, tenths)
					}
				}
			})
		})
	}
}

// While the verdict is in doubt the next check comes after half a second to a second
// and dials afresh; else it comes after the interval and does not.
func TestRetryWhileInDoubt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		failure, success int
		history          string
		retries          []int // the checks that come within a second
	}{
		{"blip", 2, 1, "HHUHHH", []int{4}},
		{"outage", 2, 1, "HHUUUUU", []int{4}},
		{"outage with a high threshold", 4, 1, "HUUUUUU", []int{3, 4, 5}},
		{"outage confirmed at once", 1, 1, "HUUU", []int{3}},
		{"down from the start", 2, 1, "UUUU", []int{2}},
		{"degraded", 2, 1, "HDDDD", []int{3}},
		{"worse than the verdict", 2, 1, "DDDUUU", []int{2, 5}},
		{"recovery", 2, 1, "UUUHHH", []int{2}},
		{"recovery with a threshold", 2, 3, "UUHHHHH", []int{2, 4, 5}},
		{"flapping", 2, 1, "HUHUHUH", []int{3, 5, 7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := following(tt.history)
				_, stop := watch(t, service("db", checkedBy(db), thresholds(tt.failure, tt.success)))
				for len(db.seen().starts) < len(tt.history) {
					pass(100 * time.Millisecond)
				}
				_ = stop()
				var soon []int
				seen, least := db.seen(), time.Second // anywhere in the interval after a start and after a retry
				for i, start := range seen.starts[1:] {
					switch pause := start.Sub(seen.ends[i]); {
					case pause >= time.Second/2 && pause <= time.Second:
						soon, least = append(soon, i+2), time.Second
					case pause < least || pause > 11*time.Second:
						t.Errorf("check %d came after %s", i+2, pause)
					default:
						least = 9 * time.Second
					}
				}
				if diff := cmp.Diff(tt.retries, soon); diff != "" {
					t.Errorf("checks that came within a second (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.retries, seen.redials); diff != "" {
					t.Errorf("checks that dialled afresh (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRetryIsNeverLaterThanTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := following("HUHUH")
		_, stop := watch(t, service("db", checkedBy(db), timing(300*time.Millisecond, 100*time.Millisecond)))
		pass(10 * time.Second)
		_ = stop()
		starts := db.seen().starts
		for _, i := range []int{1, 3} { // the failures
			if pause := starts[i+1].Sub(starts[i]); pause < 150*time.Millisecond || pause > 300*time.Millisecond {
				t.Errorf("pause after check %d: %s, want 150ms to 300ms", i+1, pause)
			}
		}
	})
}

// A fault of 100 ms that comes back with a fixed period, such as a job that locks a
// table once per second, is hit by the retry no more often than chance has it. With a
// retry after exactly that period each failed check was confirmed as an outage.
func TestRetryDoesNotResonate(t *testing.T) {
	t.Parallel()
	const fault, checks = 100 * time.Millisecond, 8000
	for _, period := range []time.Duration{time.Second / 2, 750 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second} {
		t.Run(period.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				db := &fake{answer: func(context.Context, int) (health.Observation, error) {
					if time.Since(began)%period < fault {
						return health.Observation{}, faults['U']
					}
					return health.Observation{}, nil
				}}
				m, stop := watch(t, service("db", checkedBy(db), timing(5*time.Second, 2*time.Second)))
				failed, confirmed, last := 0, 0, m.View().Results()[0]
				m.Subscribe(func(v *health.View) {
					r := v.Results()[0]
					if r.Checks > last.Checks && last.Status == health.Healthy && r.ConsecutiveFailures == 1 {
						failed++
					}
					if r.Status == health.Unhealthy && last.Status == health.Healthy {
						confirmed++
					}
					last = r
				})
				pass(checks * 5 * time.Second)
				_ = stop()
				// The retry is spread over half a second: of that, a fault that comes back
				// within it covers a fifth at most, on average.
				if share := float64(confirmed) / float64(failed); failed < 20 || share > 0.3 {
					t.Errorf("%d of %d failures were confirmed by the retry, want less than 3 in 10", confirmed, failed)
				}
				t.Logf("%d failures, %d confirmed", failed, confirmed)
			})
		})
	}
}

// A server that stops answering, at whatever moment, is unhealthy within
// interval × 1.1 + 2 × timeout + 1 s, whether its check minds its context or not.
func TestOutageIsConfirmedInTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		interval := ofDuration(50*time.Millisecond, 30*time.Second).Draw(t, "interval")
		timeout := ofDuration(10*time.Millisecond, 5*time.Second).Draw(t, "timeout")
		latency := ofDuration(0, timeout/2).Draw(t, "latency")
		hung := 3 * (interval + timeout) // it does not mind its context at all
		late := rapid.OneOf(ofDuration(0, timeout/5), rapid.Just(hung)).Draw(t, "late")
		up := ofDuration(timeout, 4*(interval+timeout)).Draw(t, "up")
		rapid.SyncTest(t, func(t *rapid.T) {
			frozen, over := time.Now().Add(up), make(chan struct{})
			defer close(over)
			db := &fake{answer: func(ctx context.Context, _ int) (health.Observation, error) {
				if time.Now().Add(latency).Before(frozen) {
					<-time.After(latency)
					return health.Observation{}, nil
				}
				<-ctx.Done()
				select {
				case <-time.After(late):
				case <-over:
				}
				return health.Observation{}, ctx.Err()
			}}
			m, _ := watch(t, service("db", checkedBy(db), timing(interval, timeout)))
			pass(up)
			if got := verdict(m, "db"); got != "healthy" {
				t.Fatalf("%s while it was up", got)
			}
			pass(interval + interval/10 + 2*timeout + time.Second)
			if got := verdict(m, "db"); got != "unhealthy timeout" {
				t.Fatalf("%s when the outage was to be confirmed", got)
			}
			if most := db.seen().most; most != 1 {
				t.Fatalf("%d checks at once", most)
			}
		})
	})
}

func TestHungCheckIsOneTimeoutAnInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		db, redis := stuck(release), &fake{}
		m, _ := watch(t, service("db", checkedBy(db), timing(10*time.Second, 2*time.Second)),
			service("redis", checkedBy(redis)))
		subscriber := record(m)
		pass(2*time.Second - 1)
		same(t, "before the timeout", verdict(m, "db"), "unknown no_result")
		pass(1)
		same(t, "at the timeout", verdict(m, "db"), "unhealthy timeout")
		pass(60 * time.Second)
		checkHanging(t, subscriber.all(), db.seen())
		same(t, "redis", verdict(m, "redis"), "healthy")

		close(release)
		pass(11 * time.Second)
		same(t, "once it came back", verdict(m, "db"), "healthy")
		same(t, "most checks in flight", db.seen().most, 1)
		if n := len(redis.seen().starts); n < 6 {
			t.Errorf("redis was checked %d times meanwhile", n)
		}
	})
}

// checkHanging checks a minute of the first service's check hanging: a timeout at
// two seconds, and one for each interval from then on.
func checkHanging(t *testing.T, views []*health.View, c calls) {
	t.Helper()
	last := health.Result{Checks: 0}
	for _, v := range views {
		r := v.Results()[0]
		if r.Checks == last.Checks {
			continue
		}
		same(t, "outcomes at once", r.Checks, last.Checks+1)
		same(t, "failures", r.ConsecutiveFailures, int(r.Checks))
		same(t, "start of the check", r.Last.Started, c.starts[0])
		if gap := r.Last.Finished.Sub(last.Last.Finished); r.Checks > 1 && (gap < 9*time.Second || gap > 11*time.Second) {
			t.Errorf("outcome %d came after %s", r.Checks, gap)
		}
		last = r
	}
	if last.Checks < 6 || last.Checks > 7 {
		t.Errorf("%d outcomes in a minute of hanging", last.Checks)
	}
	same(t, "checks started", len(c.starts), 1)
}

// The first failure is retried at most a second after its timeout, or as soon as its
// check is back where that takes longer.
func TestRetryAfterALateReturn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		late              time.Duration // past the timeout
		earliest, longest time.Duration // from the timeout to the retry
	}{
		{time.Millisecond, time.Second / 2, time.Second},
		{time.Second - 1, time.Second - 1, time.Second},
		{3 * time.Second, 3 * time.Second, 3 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.late.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := &fake{answer: func(_ context.Context, n int) (health.Observation, error) {
					if n == 1 {
						<-time.After(2*time.Second + tt.late)
					}
					return health.Observation{}, errors.New("gave up")
				}}
				watch(t, service("db", checkedBy(db), timing(10*time.Second, 2*time.Second)))
				pass(8 * time.Second)
				seen := db.seen()
				if len(seen.starts) < 2 {
					t.Fatal("not retried")
				}
				if retry := seen.starts[1].Sub(seen.starts[0]) - 2*time.Second; retry < tt.earliest || retry > tt.longest {
					t.Errorf("retried after %s, want %s to %s", retry, tt.earliest, tt.longest)
				}
				same(t, "checks at once", seen.most, 1)
				same(t, "first redial before check", seen.redials[0], 2)
			})
		})
	}
}

func TestPanicIsOneServicesFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &fake{answer: func(_ context.Context, n int) (health.Observation, error) {
			if n == 1 || n > 4 {
				panic("secret of check")
			}
			return health.Observation{}, nil
		}}
		m, stop := watch(t, service("db", checkedBy(db)), service("redis", checkedBy(&fake{})))
		same(t, "before it was proven", verdict(m, "db"), "unhealthy panic")
		fault := m.View().Results()[0].Fault()
		if text := fault.Error(); !strings.Contains(text, "secret of check") || !strings.Contains(text, "loop_test.go") {
			t.Errorf("the log gets no value or no stack: %s", text)
		}
		same(t, "message", m.View().Results()[0].Message(), "the check crashed: a bug in the sidecar; its log has the details")
		pass(time.Minute)
		same(t, "once proven", verdict(m, "db"), "degraded panic")
		same(t, "redis", verdict(m, "redis"), "healthy")
		same(t, "error", stop(), nil)
	})
}

func TestLatency(t *testing.T) {
	t.Parallel()
	const bound = 200 * time.Millisecond
	ending := &health.Fault{Reason: health.ReasonCertificateExpiring}
	tests := []struct {
		name     string
		took     time.Duration
		latency  time.Duration // that the check says
		err      error
		degraded time.Duration
		want     string
		shown    time.Duration
	}{
		{"at the bound", bound, 0, nil, bound, "healthy", bound},
		{"above the bound", bound + 1, 0, nil, bound, "degraded slow", bound + 1},
		{"no bound", time.Second, 0, nil, 0, "healthy", time.Second},
		{"slow to dial, quick to answer", time.Second, bound, nil, bound, "healthy", bound},
		{"the check knows that it was slow", time.Second, bound + 1, nil, bound, "degraded slow", bound + 1},
		{"a fault is no answer", time.Second, 0, faults['U'], bound, "unhealthy refused", 0},
		{"a certificate that is about to end", bound, 0, ending, bound, "degraded certificate_expiring", bound},
		{"a certificate that is about to end, and slow", bound + 1, 0, ending, bound, "degraded slow", bound + 1},
		{"a fault in an answer", time.Second, bound + 1, faults['D'], bound, "degraded overloaded", bound + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := &fake{answer: func(context.Context, int) (health.Observation, error) {
					<-time.After(tt.took)
					return health.Observation{Latency: tt.latency}, tt.err
				}}
				m, _ := watch(t, service("db", checkedBy(db), func(s *health.Service) { s.DegradedLatency = tt.degraded }))
				pass(1500 * time.Millisecond)
				same(t, "verdict", verdict(m, "db"), tt.want)
				last := m.View().Results()[0].Last
				same(t, "latency", last.Observation.Latency, tt.shown)
				same(t, "duration", last.Duration(), tt.took)
				same(t, "answered", last.Answered(), tt.shown > 0)
			})
		})
	}
}

// Connections are given up once per lifetime, less a part that is another one each time, and
// where there is none for as long as nothing is in doubt.
func TestConnectionsAreReplacedForTheirAge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lifetime    time.Duration
		least, most int // of the checks that are told to dial, the first included
	}{
		"a minute":    {time.Minute, 11, 14},
		"ten minutes": {10 * time.Minute, 2, 2},
		"none":        {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := following("H")
				_, _ = watch(t, service("database", checkedBy(f), timing(time.Second, time.Second), func(s *health.Service) { s.ConnectionLifetime = c.lifetime }))
				pass(11 * time.Minute)
				if n := len(f.seen().redials); n < c.least || n > c.most {
					t.Errorf("told to dial %d times in 11 minutes, want %d to %d", n, c.least, c.most)
				}
			})
		})
	}
}
