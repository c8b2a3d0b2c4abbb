package health

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestJudgeStarvation(t *testing.T) {
	t.Parallel()
	var (
		timeout  = &Fault{Reason: ReasonTimeout}
		dns      = &Fault{Reason: ReasonDNS, Err: fmt.Errorf("look up: %w", context.DeadlineExceeded)}
		refused  = &Fault{Reason: ReasonRefused, Err: errors.New("connection refused")}
		second   = time.Second
		svc      = &Service{Timeout: 2 * second, DegradedLatency: 400 * time.Millisecond}
		patient  = &Service{Timeout: 2 * second}
		answered = (*Fault)(nil)
	)
	tests := []struct {
		name       string
		svc        *Service
		fault      *Fault
		took, late time.Duration
		starved    bool
	}{
		{"timeout, on time", svc, timeout, 2 * second, 0, false},
		{"timeout, late by half of it", svc, timeout, 2 * second, second, false},
		{"timeout, later", svc, timeout, 2 * second, second + 1, true},
		{"timeout, stopped in the middle", svc, timeout, time.Minute, 59 * second, true},
		{"hung for longer than our lateness explains", svc, timeout, 12 * second, second + 1, false},
		{"another reason, at the deadline", svc, dns, 2 * second, second + 1, true},
		{"another reason", svc, refused, 2 * second, time.Hour, false},
		{"an answer", patient, answered, time.Minute, time.Minute, false},
		{"slow, on time", svc, answered, second, 0, false},
		{"slow, late by half the bound", svc, answered, 600 * time.Millisecond, 200 * time.Millisecond, false},
		{"slow, later", svc, answered, 600*time.Millisecond + 1, 200*time.Millisecond + 1, true},
		{"slower than our lateness explains", svc, answered, 1900 * time.Millisecond, 201 * time.Millisecond, false},
		{"quick enough", svc, answered, 400 * time.Millisecond, time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			o := judge(tt.svc, Outcome{Started: start, Finished: start.Add(tt.took), Fault: tt.fault}, tt.took, tt.late)
			if o.Starved != tt.starved {
				t.Errorf("starved: got %v, want %v", o.Starved, tt.starved)
			}
		})
	}
}

func TestAlarmMeasuresHowLateItIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newLagTimer()
		defer a.Stop()
		late := func(want time.Duration) {
			t.Helper()
			if a.observe(); a.lag != want {
				t.Errorf("late by %s, want %s", a.lag, want)
			}
		}
		late(0) // at once
		a.set(time.Second)
		<-time.After(500 * time.Millisecond)
		late(0) // early
		a.set(time.Second)
		<-time.After(4 * time.Second)
		late(3 * time.Second)
		late(3 * time.Second) // once
		a.set(time.Second)
		<-time.After(2 * time.Second)
		late(4 * time.Second) // they add up
		<-time.After(time.Minute)
		a.set(time.Second)
		late(time.Minute + 4*time.Second) // stopped with none set
		a.restart()
		late(0)
	})
}

// A process that is stopped right after it started a check finds its deadline
// passed before it has set a lagTimer.
func TestStoppedBeforeTheFirstAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Second, time.Second)
		l.lagTimer = newLagTimer()
		defer l.lagTimer.Stop()
		l.start(t.Context())
		<-time.After(time.Minute)
		l.wait(t.Context())
		if r := l.monitor.View().Results()[0]; r.Discarded != 1 || r.Checks != 0 {
			t.Errorf("not discarded: %+v", r)
		}
	})
}

// newLoop is one that nobody runs, of a service that every outcome decides.
func newLoop(t *testing.T, interval, timeout time.Duration) *loop {
	t.Helper()
	m, err := NewMonitor([]*Service{{
		Name: "db", Checker: well{}, Interval: interval, Timeout: timeout,
		FailureThreshold: 1, SuccessThreshold: 1, Readiness: PolicyStrict,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return m.loops[0]
}

// starvedLoop is one whose check hung to its timeout while it overslept.
func starvedLoop(t *testing.T, interval, timeout time.Duration) *loop {
	t.Helper()
	l := newLoop(t, interval, timeout)
	l.lagTimer = newLagTimer()
	l.oversleep()
	return l
}

func (l *loop) oversleep() {
	l.started, l.late = time.Now(), 0
	l.lagTimer.restart()
	l.lagTimer.set(min(l.svc.Timeout/20, lagPeriod))
	<-time.After(l.svc.Timeout)
	l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}})
}

func TestStarvedTimeoutIsRetriedWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := starvedLoop(t, time.Minute, 2*time.Second)
		defer l.lagTimer.Stop()
		r := l.monitor.View().Results()[0]
		if r.Discarded != 1 || r.Checks != 0 || r.Status != Unknown {
			t.Errorf("not discarded: %+v", r)
		}
		if d := l.delay(); d < time.Second/2 || d > time.Second {
			t.Errorf("retried after %s, want half a second to a second", d)
		}
		if l.lagTimer.lag != 0 {
			t.Errorf("the lateness of %s is counted twice", l.lagTimer.lag)
		}
		l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}}) // measured on time
		if r := l.monitor.View().Results()[0]; r.Discarded != 1 || r.Status != Unhealthy {
			t.Errorf("a timeout measured on time does not count: %+v", r)
		}
		l.record(Outcome{})
		l.record(Outcome{})
		_ = l.delay() // anywhere in the interval, after a retry
		if d := l.delay(); d < 54*time.Second {
			t.Errorf("the next check comes after %s, though nothing is in doubt", d)
		}
	})
}

// A check that still runs an interval later, in which we were starved as well, may
// hang for no other reason. Once we are on time, it counts.
func TestStarvedAgainWhileTheCheckHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := starvedLoop(t, time.Second, time.Second)
		defer l.lagTimer.Stop()
		overslept := func(d time.Duration) uint64 {
			l.lagTimer.set(l.svc.Interval)
			<-time.After(l.svc.Interval + d)
			l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}})
			return l.monitor.View().Results()[0].Discarded
		}
		if n := overslept(time.Minute); n != 2 {
			t.Errorf("%d discarded, want 2", n)
		}
		if n := overslept(0); n != 2 || l.monitor.View().Status() != Unhealthy {
			t.Errorf("%d discarded, want 2 and a hung check that counts", n)
		}
	})
}

// A check whose deadline passed while we were starved, and that hangs on, has to hang for a whole
// timeout in which we are on time: a part of it, such as an interval, is not enough.
func TestStarvedCheckThatHangsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Second, 6*time.Second)
		l.lagTimer = newLagTimer()
		defer l.lagTimer.Stop()
		l.flight = make(chan Outcome) // which never comes
		l.oversleep()
		for fair := time.Duration(0); fair < 9*time.Second; fair += l.svc.Interval {
			// It was on time for 0.02 s before.
			want := uint64(1 + min(fair, 5*time.Second)/time.Second)
			if n := l.monitor.View().Results()[0].Discarded; n != want {
				t.Errorf("%d discarded after %s on time, want %d", n, fair, want)
			}
			l.lagTimer.set(l.svc.Interval)
			<-time.After(l.svc.Interval)
			l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}})
		}
		if l.monitor.View().Status() != Unhealthy {
			t.Error("a check that hangs for longer than our lateness explains does not count")
		}
	})
}

// A process with a quota runs at the begin of each 100 ms. Were the loop to wake up with that
// period, it would seem to be on time while it has next to no processor time.
func TestLatenessIsMeasuredWithinAPeriodOfTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, 10*time.Second)
		l.svc.Checker = hung{}
		l.lagTimer = newLagTimer()
		defer l.lagTimer.Stop()
		l.start(t.Context())
		looks, last := 0, l.heartbeat.Load()
		done := make(chan struct{})
		go func() { defer close(done); l.wait(t.Context()) }()
		for range 1000 { // a second
			<-time.After(time.Millisecond)
			if now := l.heartbeat.Load(); now != last {
				looks, last = looks+1, now
			}
		}
		if looks < 49 || looks > 50 {
			t.Errorf("%d looks at its own lateness in a second, want 50", looks)
		}
		<-done
	})
}

// hung answers when its time is up.
type hung struct{}

func (hung) Check(ctx context.Context) (Observation, error) {
	<-ctx.Done()
	return Observation{}, ctx.Err()
}

func TestStaleBoundsStarvation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := starvedLoop(t, 10*time.Second, 2*time.Second)
		defer l.lagTimer.Stop()
		l.record(Outcome{})
		answered := time.Now()
		for time.Since(answered) <= 2*l.svc.Interval+l.svc.Timeout {
			if v := l.monitor.View(); v.Status() != Healthy {
				t.Fatalf("%s after %s", v.Results()[0].Reason(), time.Since(answered))
			}
			l.oversleep()
		}
		if v := l.monitor.View(); v.Results()[0].Reason() != ReasonStale {
			t.Errorf("%s after %s of nothing but starved checks", v.Results()[0].Status, time.Since(answered))
		}
		l.record(Outcome{})
		if v := l.monitor.View(); v.Status() != Healthy {
			t.Errorf("%s after an answer", v.Status())
		}
	})
}

// What was overslept between two checks is not held against the second one.
func TestLatenessBeforeACheckDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, 2*time.Second)
		l.lagTimer = newLagTimer()
		defer l.lagTimer.Stop()
		l.lagTimer.lag = time.Hour
		l.start(t.Context())
		<-l.flight
		if l.lagTimer.lag != 0 {
			t.Errorf("a check starts with a lateness of %s", l.lagTimer.lag)
		}
	})
}

type well struct{}

func (well) Check(context.Context) (Observation, error) { return Observation{}, nil }
