package server_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// advance moves the bubble's clock.
func advance(d time.Duration) { <-time.After(d) }

func wantCode(t *testing.T, h http.Handler, target string, want int) {
	t.Helper()
	if w := scenario.Get(h, target); w.Code != want {
		t.Errorf("%s at %s: %d, want %d: %s", target, time.Now().Format(time.StampMilli), w.Code, want, w.Body)
	}
}

// TestStaleOnTime publishes nothing: age alone makes the answer turn.
func TestStaleOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scenario.AllWell().View(0) // the latest check ended a second ago
		h := scenario.NewHandler(s, server.Full)
		advance(2*5*time.Second + 2*time.Second - time.Second)
		wantCode(t, h, "/health", 200)
		advance(1)
		for _, path := range []string{"/health", "/health/database", "/health/redis", "/health/ready"} {
			wantCode(t, h, path, 503)
			if w := scenario.Get(h, path+"?verbose"); path != "/health/ready" && !strings.Contains(w.Body.String(), "stale") {
				t.Errorf("%s?verbose: %s", path, w.Body)
			}
		}
		wantCode(t, h, "/health/minio", 200) // its interval is longer
		wantCode(t, h, "/health/live", 200)
		advance(10*time.Second - 1)
		wantCode(t, h, "/health/minio", 200)
		advance(1)
		wantCode(t, h, "/health/minio", 503)
	})
}

// TestStaleWhileOthersPublish has one service's results dry up: news of the others
// must not make it look fresh again.
func TestStaleWhileOthersPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		monitor := &scenario.Monitor{Latest: scenario.AllWell().View(0)}
		h := server.NewHandler(monitor, server.Options{Details: server.Full})
		advance(11*time.Second + 1)
		wantCode(t, h, "/health/database", 503)

		now, results := time.Now(), slices.Clone(monitor.Latest.Results())
		for i, r := range results[1:] {
			results[i+1] = r.Next(scenario.Outcome(r.Service.Name, now, nil))
		}
		monitor.Latest = health.NewView(now, results, health.NoOverride, false)
		h.Publish(monitor.Latest)
		wantCode(t, h, "/health/redis", 200)
		wantCode(t, h, "/health/database", 503)
		wantCode(t, h, "/health", 503)
	})
}

func TestGraceEndsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Unhealthy since the second failure, five seconds ago.
		s := scenario.AllWell().But("database", scenario.Failing(10*time.Second, scenario.Fault(health.ReasonRefused))).View(10 * time.Second)
		h := scenario.NewHandler(s, server.Full)
		advance(5 * time.Second)
		wantCode(t, h, "/health/ready", 200)
		wantCode(t, h, "/health", 503)
		advance(1)
		wantCode(t, h, "/health/ready", 503)
	})
}

// TestLive turns on the scheduler alone: not on a service, however ill or stale.
func TestLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		monitor := &scenario.Monitor{Latest: scenario.History{
			"database": scenario.Failing(30*time.Second, scenario.Fault(health.ReasonTimeout)), "redis": scenario.Steadily(scenario.Fault(health.ReasonPanic)),
		}.View(0)}
		h := server.NewHandler(monitor, server.Options{Details: server.Full})
		advance(time.Hour)
		for _, test := range []struct {
			idle time.Duration
			code int
		}{{0, 200}, {time.Minute, 200}, {time.Minute + 1, 503}, {time.Hour, 503}, {0, 200}} {
			monitor.Stopped = test.idle
			wantCode(t, h, "/health/live", test.code)
			wantCode(t, h, "/health/live?verbose", test.code)
		}
	})
}

// scripted is a dependency that is well or not, and counts who asks.
type scripted struct {
	checks atomic.Int64
	down   atomic.Bool
}

func (c *scripted) Check(context.Context) (health.Observation, error) {
	c.checks.Add(1)
	if c.down.Load() {
		return health.Observation{}, &health.Fault{Reason: health.ReasonRefused, Err: scenario.ErrDriver}
	}
	return health.Observation{Latency: time.Millisecond}, nil
}

// TestWithMonitor follows a real monitor through an outage. However often it is
// asked, the handler causes no check.
func TestWithMonitor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dependency scripted
		svc := scenario.Services(0)[0]
		svc.Checker = &dependency
		monitor, err := health.NewMonitor([]*health.Service{svc})
		if err != nil {
			t.Fatal(err)
		}
		h := server.NewHandler(monitor, server.Options{Details: server.Full})
		monitor.Subscribe(h.Publish)
		wantCode(t, h, "/health/ready", 503)
		wantCode(t, h, "/health/live", 200)

		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- monitor.Start(ctx) }()
		synctest.Wait()
		for range 1000 {
			wantCode(t, h, "/health/ready", 200)
		}
		if n := dependency.checks.Load(); n != 1 {
			t.Errorf("%d checks, want 1", n)
		}

		dependency.down.Store(true)
		advance(5*time.Second*11/10 + time.Second)
		wantCode(t, h, "/health", 503)
		dependency.down.Store(false)
		advance(5 * time.Second * 11 / 10)
		wantCode(t, h, "/health", 200)

		monitor.Drain()
		wantCode(t, h, "/health/ready", 503)
		wantCode(t, h, "/health", 200)
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		advance(61 * time.Second)
		wantCode(t, h, "/health/live", 503)
		wantCode(t, h, "/health", 503)
	})
}
