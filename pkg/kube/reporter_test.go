package kube_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/test/program"
)

// jitter is the default bound.
const jitter = 2 * time.Second

// wellAt is a monitor whose services are all healthy, and an api that received that.
func wellAt(t *testing.T) (*monitor, *api, *program.Output, func()) {
	t.Helper()
	m, a := newMonitor("database", "redis", "minio", "ollama"), &api{}
	log, stop := run(t, a, m)
	m.checks(allOK()...)
	time.Sleep(jitter)
	synctest.Wait()
	if got := a.all(); len(got) != 1 || got[0].condition.Status != "True" {
		t.Fatalf("at the start: %v", got)
	}
	return m, a, log, stop
}

// Nothing is written while nothing changes, however often checks come in.
func TestNoHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		for range 24 * 60 {
			time.Sleep(time.Minute)
			m.checks(allOK()...)
		}
		synctest.Wait()
		if n := len(a.all()); n != 1 {
			t.Errorf("%d requests in a day, want the first one alone", n)
		}
	})
}

// A change is one patch and one Event, within the jitter, whatever fell in that time.
func TestOneOfEachPerChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		begin := time.Now()
		m.checks("database", "refused", "redis", "timeout")
		time.Sleep(jitter)
		synctest.Wait()
		conditions, events := a.conditions()[1:], a.events()
		if len(conditions) != 1 || len(events) != 1 {
			t.Fatalf("%v", a.all())
		}
		c, e := conditions[0].condition, events[0].event
		if c.Status != "False" || c.Reason != "DatabaseRefused" || e.Reason != "DependencyUnhealthy" {
			t.Errorf("%+v, %+v", c, e)
		}
		if !c.LastTransitionTime.Time.Equal(begin.Truncate(time.Second)) {
			t.Errorf("the transition is dated %s, want %s", c.LastTransitionTime, begin)
		}
		if o := e.InvolvedObject; o.Kind != "Pod" || o.Namespace != "shop" || o.Name != "api-0" || o.UID != "3d9f" {
			t.Errorf("the Event is about %+v", o)
		}
		if d := events[0].at.Sub(begin); d > jitter {
			t.Errorf("written after %s", d)
		}
	})
}

// A change that is undone before it is written is none.
func TestUndoneInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		m.checks("redis", "refused")
		m.checks("redis", "ok")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(a.all()); n != 1 {
			t.Errorf("%d requests, want the first one alone", n)
		}
	})
}

// The transition is dated by changes of the status, not of the reason; a reason alone
// is no Event.
func TestLastTransitionTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		var dates []time.Time
		for _, outcome := range []string{"refused", "timeout", "ok"} {
			m.checks("redis", outcome)
			time.Sleep(time.Minute)
			synctest.Wait()
			all := a.conditions()
			dates = append(dates, all[len(all)-1].condition.LastTransitionTime.Time)
		}
		if !dates[1].Equal(dates[0]) || !dates[2].Equal(dates[0].Add(2*time.Minute)) {
			t.Errorf("%v", dates)
		}
		if len(a.conditions()) != 4 || len(a.events()) != 2 {
			t.Errorf("%d patches and %d Events, want 4 and 2", len(a.conditions()), len(a.events()))
		}
	})
}

// A patch that was given up on may be carried out, so a change that is undone before
// the next attempt is written all the same; one that was refused is not.
func TestUndoneAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  func(*http.Request) (int, http.Header)
		patches int // of the recovery
	}{
		"hangs":     {hangs, 2},
		"error":     {fails(http.StatusGatewayTimeout), 2},
		"forbidden": {fails(http.StatusForbidden), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a, _, _ := wellAt(t)
				before := a.conditions()[0].condition
				a.answers(test.answer)
				m.checks("redis", "refused")
				for a.countReason("RedisRefused") == 0 {
					time.Sleep(10 * time.Millisecond)
					synctest.Wait()
				}
				a.answers(nil)
				m.checks("redis", "ok")
				time.Sleep(2 * time.Hour)
				if n := a.countReason("RedisRefused"); n != 1 {
					t.Errorf("%d times refused", n)
				}
				got := a.conditions()[2:]
				if len(got) != test.patches {
					t.Fatalf("patches of the recovery: %v", got)
				}
				for _, r := range got {
					if !cmp.Equal(r.condition, before) {
						t.Errorf("%+v, want %+v", r.condition, before)
					}
				}
			})
		})
	}
}

// A recovery that was too short to be written dates nothing, either.
func TestLastTransitionTimeOfWhatIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		m.checks("redis", "refused")
		time.Sleep(time.Minute)
		m.checks("redis", "ok", "redis", "timeout")
		time.Sleep(time.Minute)
		synctest.Wait()
		all := a.conditions()
		if len(all) != 3 || !all[2].condition.LastTransitionTime.Equal(&all[1].condition.LastTransitionTime) {
			t.Errorf("%v", all)
		}
	})
}

// A patch that hangs makes no Event of what is over by then.
func TestEventIsOfItsMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		a.answers(toEvents(false, hangs))
		m.checks("redis", "refused")
		time.Sleep(jitter + time.Second)
		for range 10 { // there is more than one view to catch up with
			m.checks("redis", "timeout")
		}
		m.checks("redis", "ok")
		time.Sleep(time.Minute)
		if got := a.events(); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

// Flapping is aggregated (few Events, with a count) and limited: ten changes at once,
// then one each half minute.
func TestFlapping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		before := len(a.all())
		for range 60 * 10 { // an hour
			m.checks("redis", "refused")
			time.Sleep(3 * time.Second)
			m.checks("redis", "ok")
			time.Sleep(3 * time.Second)
		}
		created, latest := 0, int32(0)
		for _, e := range a.events() {
			if e.method == "POST" {
				created++
			}
			latest = max(latest, e.event.Count)
		}
		if n, most := len(a.all())-before, 2*(10+120+1); n > most || n < 20 {
			t.Errorf("%d requests in an hour, want at most %d", n, most)
		}
		if created != 2 || latest < 10 {
			t.Errorf("%d Events were created, and counted up to %d", created, latest)
		}
	})
}

// Many Pods that see the same outage spread their writes.
func TestJitterSpreads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pods = 200
		begin := time.Now()
		var early, late int
		var apis []*api
		for range pods {
			m, a := newMonitor("database"), &api{}
			run(t, a, m)
			m.checks("database", "refused")
			apis = append(apis, a)
		}
		time.Sleep(jitter)
		synctest.Wait()
		for _, a := range apis {
			if a.all()[0].at.Sub(begin) < jitter/2 {
				early++
			} else {
				late++
			}
		}
		if early < pods/4 || late < pods/4 {
			t.Errorf("%d in the first half of the jitter, %d in the second", early, late)
		}
	})
}

// The message says whose the fault is, with counts. Counts that change every second cause
// no write; another scope is one patch and one Event; and a scope that is found in time
// costs none more than a fault without peers.
func TestScopeIsReported(t *testing.T) {
	t.Parallel()
	const refused = "database is unhealthy: the connection was refused: nothing listens at that address"
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		m.asksPeers()
		tell := func(scope health.Scope, seconds, failing, sound int) {
			for n := range seconds {
				m.found("database", health.Finding{Scope: scope, Asked: 60, Failing: failing + n, Sound: sound})
				time.Sleep(time.Second)
			}
			synctest.Wait()
		}
		latest := func(conditions, events int, message string) {
			t.Helper()
			c, e := a.conditions()[1:], a.events()
			if len(c) != conditions || len(e) != events {
				t.Fatalf("%d patches and %d Events, want %d and %d: %v", len(c), len(e), conditions, events, a.all())
			}
			if got := c[len(c)-1].condition.Message; got != message {
				t.Errorf("the condition says %q, want %q", got, message)
			}
			if got := e[len(e)-1].event.Message; got != message && message != "every dependency is healthy: database, redis, minio, ollama" {
				t.Errorf("the Event says %q, want %q", got, message)
			}
		}
		m.checks("database", "refused")
		time.Sleep(time.Second)
		tell(health.ScopeShared, 1, 11, 1)
		time.Sleep(jitter)
		tell(health.ScopeShared, 40, 11, 1)
		latest(1, 1, refused+" (shared: 11 of 60 peers see it too, so the Pod stays ready)")
		tell(health.ScopeUndecided, 2, 10, 12) // they recover, and so does this Pod
		m.checks("database", "ok")
		time.Sleep(jitter)
		synctest.Wait()
		latest(2, 2, "every dependency is healthy: database, redis, minio, ollama")

		m.checks("database", "refused")
		time.Sleep(time.Second)
		tell(health.ScopeLocal, 1, 0, 59)
		time.Sleep(jitter)
		synctest.Wait()
		latest(3, 3, refused+" (local: 0 of 60 peers see it too)")
		tell(health.ScopeShared, 40, 20, 1)
		latest(4, 4, a.events()[3].event.Message)
		if text := a.events()[3].event.Message; !strings.HasPrefix(text, refused+" (shared: 2") {
			t.Errorf("after the scope changed: %q", text)
		}
	})
}

// Where the peers do not answer, the fault is reported all the same, within five seconds.
func TestUndecidedIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		m.asksPeers()
		m.checks("database", "refused")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c := a.conditions()[1:]; len(c) != 1 || !strings.HasSuffix(c[0].condition.Message, " (undecided, so the Pod stays ready)") {
			t.Errorf("%v", c)
		}
	})
}

// The more Pods there are, the longer they take to write, up to a minute.
func TestSpreadGrowsWithTheFleet(t *testing.T) {
	t.Parallel()
	for pods, want := range map[int]time.Duration{
		-1: 2 * time.Second, 0: 2 * time.Second, 1: 2 * time.Second, 1000: 2 * time.Second,
		1001: 2002 * time.Millisecond, 2500: 5 * time.Second, 10_000: 20 * time.Second,
		30_000: time.Minute, 1 << 30: time.Minute,
	} {
		if got := kube.Spread(pods); got != want {
			t.Errorf("%d Pods: %s, want %s", pods, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		const pods, total = 200, 5000
		begin := time.Now()
		var apis []*api
		for range pods { // a part of them all
			m, a := newMonitor("database"), &api{}
			runPods(t, a, m, func() int { return total })
			m.checks("database", "refused")
			apis = append(apis, a)
		}
		time.Sleep(kube.Spread(total))
		synctest.Wait()
		var quarters [4]int
		for _, a := range apis {
			quarters[min(3, int(4*a.all()[0].at.Sub(begin)/kube.Spread(total)))]++
		}
		for i, n := range quarters {
			if n < pods/8 {
				t.Errorf("%d of %d in quarter %d of the spread", n, pods, i+1)
			}
		}
	})
}

// What nobody renews goes stale without another view.
func TestStaleWithoutViews(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, a, _, _ := wellAt(t)
		time.Sleep(48*time.Hour + time.Second + jitter)
		synctest.Wait()
		all := a.conditions()
		if c := all[len(all)-1].condition; c.Status != "False" || c.Reason != "DatabaseStale" {
			t.Errorf("%+v", c)
		}
	})
}

// On exit nothing watches any more, and the condition says so.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, a, log, stop := wellAt(t)
		time.Sleep(time.Hour)
		begin := time.Now()
		stop()
		all := a.conditions()
		c := all[len(all)-1].condition
		if c.Status != "Unknown" || c.Reason != "SidecarStopped" || !c.LastTransitionTime.Time.Equal(begin.Truncate(time.Second)) {
			t.Errorf("%+v", c)
		}
		if len(a.events()) != 0 || log.String() != "" {
			t.Errorf("%v\n%s", a.events(), log)
		}
	})
}

// An API server that hangs holds up the exit for two seconds, and what is being
// written then not at all.
func TestStopWhileHanging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, log, stop := wellAt(t)
		a.answers(hangs)
		m.checks("redis", "refused")
		time.Sleep(jitter + time.Second)
		begin := time.Now()
		stop()
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("stopped after %s", d)
		}
		if log.Count("level=WARN") != 1 || log.Count("left as it was") != 1 {
			t.Error(log)
		}
	})
}

// What cannot be written at the end was told before, where it can be: nothing is
// written where nothing ever was, or the API server wants to be left in peace, and
// a failure that was logged is not logged again.
func TestStopInTrouble(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wellBefore bool
		answer     func(*http.Request) (int, http.Header)
		attempts   int
	}{
		"never written":       {false, fails(http.StatusForbidden), 0},
		"perhaps written":     {false, hangs, 1},
		"sent away":           {true, fails(http.StatusTooManyRequests, "Retry-After", "500"), 0},
		"forbidden meanwhile": {true, fails(http.StatusForbidden), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a := newMonitor("redis"), &api{}
				if !test.wellBefore {
					a.answers(test.answer)
				}
				log, stop := run(t, a, m)
				m.checks("redis", "ok")
				time.Sleep(time.Minute)
				a.answers(test.answer)
				m.checks("redis", "refused")
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				lines := log.Count("\n")
				stop()
				if n := a.countReason("SidecarStopped"); n != test.attempts {
					t.Errorf("%d attempts at the end, want %d", n, test.attempts)
				}
				if log.Count("\n") != lines {
					t.Error(log)
				}
			})
		})
	}
}

// A reporter that never heard of a view still ends.
func TestStopBeforeAnything(t *testing.T) {
	t.Parallel()
	client, err := kube.NewClient(&rest.Config{Host: "https://api.invalid", Transport: &api{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := kube.Options{Client: client, Log: slog.New(slog.DiscardHandler)}
	if err := kube.NewReporter(o).Start(ctx); err != nil {
		t.Error(err)
	}
}
