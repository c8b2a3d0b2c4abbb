package changelog_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/changelog"
	"github.com/reims/reims-health/pkg/health"
)

// follow logs a monitor's changes in a synctest bubble.
func follow(t *testing.T, updates <-chan *health.View) *journal {
	t.Helper()
	j := &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	changes := &changelog.Logger{Updates: updates, Log: j.logger()}
	go func() { done <- changes.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		same(t, "what Start returns", <-done, nil)
	})
	return j
}

// logs checks the lines that match a pattern.
func (j *journal) logs(t *testing.T, pattern string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, j.matching(pattern)); diff != "" {
		t.Errorf("lines like %s (-want +got):\n%s", pattern, diff)
	}
}

// feed sends an endless channel the views of a history, a letter each.
func feed(t *testing.T, history string) *journal {
	t.Helper()
	updates := make(chan *health.View, len(history)+1)
	r := health.NewResult(service("db", well), epoch)
	updates <- reading(epoch, r)
	for i, letter := range history {
		now := epoch.Add(time.Duration(i+1) * time.Second)
		r = r.Next(outcome(letter, now))
		updates <- reading(now, r)
	}
	j := follow(t, updates)
	synctest.Wait()
	return j
}

func TestChangeLogTellsChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := feed(t, "HHUTTDH")
		j.logs(t, "status changed",
			`level=INFO msg="status changed" service=db from=unknown to=healthy after_ms=1000`,
			`level=WARN msg="status changed" service=db from=healthy to=unhealthy reason=timeout error="timeout: no answer within the probe's timeout: i/o timeout"`,
			`level=WARN msg="status changed" service=db from=unhealthy to=degraded reason=overloaded error="overloaded: the server asks for fewer requests"`,
			`level=INFO msg="status changed" service=db from=degraded to=healthy after_ms=1000`)
		same(t, "checks that succeeded", len(j.matching(`level=DEBUG msg="probe succeeded" service=db duration_ms=3`)), 3)
		same(t, "checks that failed", len(j.matching(`level=DEBUG msg="probe failed" service=db duration_ms=3 error=`)), 4)
		same(t, "changes of readiness", len(j.matching(`level=INFO msg="readiness changed" ready=(true|false)`)), 3)
		j.logs(t, "first verdicts", `level=INFO msg="first verdicts" status=healthy ready=true db=healthy`)
	})
}

func TestChangeLogTellsAnotherReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		feed(t, "UUTT").logs(t, "reason changed",
			`level=WARN msg="reason changed" service=db status=unhealthy from=refused to=timeout error="timeout: no answer within the probe's timeout: i/o timeout"`)
	})
}

// One line per change of scope, however often the peers are asked; a new fault of the same
// scope is one, too, and the end of a fault is none.
func TestChangeLogTellsScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		db := service("db", func() (health.Observation, error) {
			if broken.Load() {
				return health.Observation{}, &health.Fault{Reason: health.ReasonRefused}
			}
			return health.Observation{}, nil
		})
		db.SharedFault = health.SharedFaultHold
		m := newMonitor(t, db)
		j := follow(t, m.Updates())
		run(t, m)
		tell := func(scope health.Scope, failing, sound int) {
			r, _ := m.View().Service("db")
			m.Found("db", health.Finding{
				Scope: scope, Asked: 12, Failing: failing, Sound: sound, Since: r.FailingSince(), At: time.Now(),
			})
		}
		outage := func() {
			broken.Store(true)
			pass(13 * time.Second)
			for n := range 12 {
				tell(health.ScopeShared, n, 0)
				pass(time.Second)
			}
		}
		outage()
		for n := range 3 {
			tell(health.ScopeLocal, 0, 10+n)
			pass(time.Second)
		}
		broken.Store(false)
		pass(13 * time.Second)
		outage()
		pass(time.Minute) // the finding expires, and its counts with it
		j.logs(t, "scope",
			`level=WARN msg="fault scope changed" service=db from=none to=undecided held=true peers_asked=0 peers_failing=0 peers_sound=0`,
			`level=WARN msg="fault scope changed" service=db from=undecided to=shared held=true peers_asked=12 peers_failing=0 peers_sound=0`,
			`level=WARN msg="fault scope changed" service=db from=shared to=local held=false peers_asked=12 peers_failing=0 peers_sound=10`,
			`level=WARN msg="fault scope changed" service=db from=none to=undecided held=true peers_asked=0 peers_failing=0 peers_sound=0`,
			`level=WARN msg="fault scope changed" service=db from=undecided to=shared held=true peers_asked=12 peers_failing=0 peers_sound=0`,
			`level=WARN msg="fault scope changed" service=db from=shared to=unknown held=false peers_asked=0 peers_failing=0 peers_sound=0`)
	})
}

func TestChangeLogTellsStarvation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := feed(t, "HXX")
		j.logs(t, "discarded",
			`level=WARN msg="probe discarded: this process was starved of CPU" service=db discarded=1`,
			`level=WARN msg="probe discarded: this process was starved of CPU" service=db discarded=2`)
		same(t, "checks", len(j.matching("DEBUG")), 1)
	})
}

// A note is logged once per service, also after a check that could not look at all.
func TestChangeLogTellsANoteOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		notes := [][]string{{"no INFO"}, {"no INFO"}, nil, {"no INFO", "no figures"}}
		noting := func() checker { // one per service: it counts its own checks
			n := 0
			return func() (health.Observation, error) {
				n++
				return health.Observation{Notes: notes[n%len(notes)]}, nil
			}
		}
		m := newMonitor(t, service("redis", noting()), service("kv", noting()))
		j := follow(t, m.Updates())
		run(t, m)
		pass(time.Minute)
		for _, name := range []string{"redis", "kv"} {
			j.logs(t, "service="+name+" note=",
				`level=WARN msg="the check could not look at everything" service=`+name+` note="no INFO"`,
				`level=WARN msg="the check could not look at everything" service=`+name+` note="no figures"`)
		}
	})
}

func TestChangeLogSumsUpTheFirstVerdictsOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		late      bool // the log starts when the verdicts are in
		overtaken int  // views published before it starts
	}{
		{"from the start", false, 0},
		{"started late", true, 0},
		{"overtaken", false, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				minio := service("minio", func() (health.Observation, error) {
					<-time.After(time.Second)
					return health.Observation{}, errors.New("odd")
				})
				minio.Readiness = health.PolicyIgnore
				m := newMonitor(t, service("db", well), minio)
				updates := m.Updates()
				run(t, m)
				if pass(500 * time.Millisecond); tt.late {
					pass(5 * time.Second)
					updates = m.Updates()
				}
				for range tt.overtaken {
					m.Override(health.NoOverride)
				}
				j := follow(t, updates)
				pass(time.Minute)
				j.logs(t, "first verdicts",
					`level=INFO msg="first verdicts" status=degraded ready=true db=healthy minio="unhealthy: error"`)
			})
		})
	}
}

func TestChangeLogTellsTheOverrideAndStaleness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(t, service("db", well))
		stop := run(t, m)
		j := follow(t, m.Updates())
		m.Override(health.OverrideNotReady)
		m.Override(health.OverrideReady)
		stop()
		pass(time.Minute)
		m.Drain()
		synctest.Wait()
		j.logs(t, "readiness override",
			`level=WARN msg="readiness override" from="" to=not_ready`,
			`level=WARN msg="readiness override" from=not_ready to=ready`)
		j.logs(t, "readiness changed.*ready=true",
			`level=INFO msg="readiness changed" ready=true because="override: HEALTH_OVERRIDE_FILE says ready"`)
		same(t, "changes of readiness", len(j.matching("readiness changed")), 3)
		j.logs(t, "stale: ",
			`level=WARN msg="status changed" service=db from=healthy to=unhealthy reason=stale error="stale: `+"no result for too long: this sidecar's scheduler is late"+`"`)
	})
}
