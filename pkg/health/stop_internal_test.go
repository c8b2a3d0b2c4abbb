package health

import (
	"context"
	"testing"
	"time"
)

// stopped is a loop and a context that was canceled under it.
func stopped(t *testing.T) (*loop, context.Context) {
	t.Helper()
	l := newLoop(t, time.Second, time.Second)
	l.lagTimer = newLagTimer()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return l, ctx
}

func TestNothingIsLaunchedOnceStopped(t *testing.T) {
	t.Parallel()
	l, ctx := stopped(t)
	defer l.lagTimer.Stop()
	for _, d := range []time.Duration{0, time.Nanosecond, time.Hour} {
		if l.sleep(ctx, d) {
			t.Errorf("goes on after a pause of %s", d)
		}
	}
}

// A check that ends together with the monitor was cut short: its error is ours.
func TestNothingIsRecordedOnceStopped(t *testing.T) {
	t.Parallel()
	l, ctx := stopped(t)
	defer l.lagTimer.Stop()
	for range 100 { // select picks either of two that are ready
		l.started, l.flight = time.Now(), make(chan Outcome, 1)
		l.flight <- Outcome{Fault: &Fault{Reason: ReasonError, Err: context.Canceled}}
		l.wait(ctx)
	}
	if r := l.monitor.View().Results()[0]; r.Checks != 0 {
		t.Errorf("%d of 100 were recorded: %s", r.Checks, r.Reason())
	}
}
