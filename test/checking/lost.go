package checking

import (
	"context"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
	"github.com/reims/reims-health/test/poll"
)

const checkTimeout = 2 * time.Second

// Monitored checks with a monitor, once per minute unless the connections that watch looks
// at are lost. It returns once the first check found the service healthy.
func Monitored(t *testing.T, c health.Checker, watch *idle.Watch) (result func() health.Result) {
	t.Helper()
	m, err := health.NewMonitor([]*health.Service{{
		Name: "watched", Checker: c, Lost: watch.Lost(), Interval: time.Minute, Timeout: checkTimeout,
		FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyIgnore,
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	result = func() health.Result {
		r, _ := m.View().Service("watched")
		return r
	}
	poll.Until(t, "the first check finds the service healthy", func() bool { return result().Status == health.Healthy })
	return result
}

// TellsOfLoss breaks a healthy service, and wants the check that finds it out and the
// verdict long before the next check is due. Usually they take 0.3 s and 1.6 s.
func TellsOfLoss(t *testing.T, c health.Checker, watch *idle.Watch, breaks func() error) {
	t.Helper()
	result := Monitored(t, c, watch)
	// Until every deadline of the check has passed.
	if err := poll.Pause(t.Context(), checkTimeout+checkTimeout/2); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := breaks(); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, 10*300*time.Millisecond, "a check has failed", func() bool { return result().ConsecutiveFailures > 0 })
	failed := time.Since(began)
	poll.Within(t, 10*1600*time.Millisecond, "the service is unhealthy", func() bool { return result().Status == health.Unhealthy })
	t.Logf("first failed check after %s, unhealthy after %s", failed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// ReconnectsOnce wants just one check, and no verdict, of a server that closes idle
// connections within the time of closing.
func ReconnectsOnce(t *testing.T, c health.Checker, watch *idle.Watch, closing time.Duration) {
	t.Helper()
	result := Monitored(t, c, watch)
	poll.Until(t, "a second check", func() bool { return result().Checks == 2 })
	if err := poll.Pause(t.Context(), 3*closing); err != nil { // in which a loop would check again
		t.Fatal(err)
	}
	if r := result(); r.Checks != 2 || r.Status != health.Healthy || r.ConsecutiveFailures != 0 {
		t.Errorf("%d checks, status %s, %d failures in a row; want 2, healthy, 0", r.Checks, r.Status, r.ConsecutiveFailures)
	}
}

// KeepsWatched wants the connection that is watched between checks to answer them all, and
// its end to be told.
func KeepsWatched(t *testing.T, w *Wire, c interface {
	health.Checker
	health.Redialer
}, watch *idle.Watch,
) {
	t.Helper()
	Healthy(t, c)
	OneRoundTrip(t, w, c)
	w.HangUp()
	poll.Until(t, "the end of the connection is told", func() bool {
		select {
		case <-watch.Lost():
			return true
		default:
			return false
		}
	})
}
