package golden_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/statuspage"
	"github.com/reims/reims-health/test/scenario"
)

// scripted is a dependency that answers once, after a while.
type scripted struct {
	takes time.Duration
	fault error
}

func (c scripted) Check(ctx context.Context) (health.Observation, error) {
	timer := time.NewTimer(c.takes)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return health.Observation{}, ctx.Err()
	case <-timer.C:
		return health.Observation{Latency: c.takes}, c.fault
	}
}

// service is checked once in these tests: the monitor is stopped before its interval
// has passed.
func service(name string, interval time.Duration, policy health.Policy, c scripted) *health.Service {
	return &health.Service{
		Name: name, Kind: scenario.Kind(name), Checker: c, Interval: interval, Timeout: 2 * time.Second,
		FailureThreshold: 1, SuccessThreshold: 1, Readiness: policy,
	}
}

// timeline writes down what a handler answers from moment to moment: an answer that is
// the same, byte for byte, as an earlier one is named by that one's moment.
type timeline struct {
	t       *testing.T
	began   time.Time
	handler *server.Handler
	monitor *health.Monitor
	text    strings.Builder
	seen    map[string]string // path and answer: when it came first
}

// follow runs a monitor of the services, for as long as it is told.
func follow(t *testing.T, runs time.Duration, services ...*health.Service) *timeline {
	t.Helper()
	monitor, err := health.NewMonitor(services)
	if err != nil {
		t.Fatal(err)
	}
	past := history.New(services)
	page := statuspage.New(monitor, past, statuspage.Options{Details: statuspage.Full})
	handler := server.NewHandler(monitor, server.Options{Details: server.Full, History: past, Page: page})
	monitor.Subscribe(handler.Publish)
	l := &timeline{t: t, began: time.Now(), handler: handler, monitor: monitor, seen: map[string]string{}}
	ctx, cancel := context.WithTimeout(t.Context(), runs)
	var running sync.WaitGroup
	running.Go(func() {
		defer cancel()
		if err := monitor.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(running.Wait)
	return l
}

// at looks at a moment after the beginning.
func (l *timeline) at(moment time.Duration, what string) {
	l.t.Helper()
	timer := time.NewTimer(time.Until(l.began.Add(moment)))
	<-timer.C
	synctest.Wait()
	fmt.Fprintf(&l.text, "=== %s: %s\n", moment, what)
	for _, path := range []string{"/health", "/health/database", "/health/redis", "/health/ready", "/health/live", "/health?verbose", "/health/history", "/"} {
		w := httptest.NewRecorder()
		l.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		body := strings.TrimSuffix(w.Body.String(), "\n")
		switch path {
		case "/": // what it says, in short
			body = strings.Join(said.FindAllString(body, -1), " ")
		case "/health/history": // it begins with the time from which on it tells
			body = since.ReplaceAllString(body, "")
		}
		answer := fmt.Sprintf("%d %s", w.Code, body)
		if first, ok := l.seen[path+answer]; ok {
			answer = fmt.Sprintf("%d as at %s", w.Code, first)
		} else {
			l.seen[path+answer] = moment.String()
		}
		fmt.Fprintf(&l.text, "GET %s %s\n", path, answer)
	}
}

var (
	said  = regexp.MustCompile(`as of <time datetime="[^"]*"|<p class="summary">[^<]*</p>|<span class="age">[^<]*</span>`)
	since = regexp.MustCompile(`"since":"[^"]*",`)
)

// TestCacheExpiry follows answers that were rendered once, while nothing more is
// published: each serves up to and including the moment at which a result expires, a
// grace ends or the scheduler counts as stopped, and is rendered again after it.
func TestCacheExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := follow(t, time.Second,
			service("database", 5*time.Second, health.PolicyStrict, scripted{}),
			service("redis", 50*time.Second, health.PolicyIgnore, scripted{}))
		l.at(0, "both are healthy")
		l.at(time.Second, "the monitor stops")
		l.at(12*time.Second, "the database's result is as old as it may be")
		l.at(12*time.Second+1, "it is stale")
		l.at(13*time.Second, "still")
		l.at(time.Minute, "the scheduler has not run for as long as it may")
		l.at(time.Minute+1, "it counts as stopped")
		l.at(102*time.Second, "the result of redis is as old as it may be")
		l.at(102*time.Second+1, "it is stale too")
		l.at(24*time.Hour, "long after")
		compare(t, "cache_stale.txt", l.text.String())
	})
}

func TestCacheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		database := service("database", time.Hour, health.PolicyStrict, scripted{fault: &health.Fault{Reason: health.ReasonRefused}})
		database.ReadinessGrace, database.Restored = 10*time.Second, health.Restored{Proven: true}
		l := follow(t, 100*time.Millisecond, database, service("redis", time.Hour, health.PolicyIgnore, scripted{}))
		l.at(0, "the database fails, under its grace")
		l.at(10*time.Second, "the last moment of the grace")
		l.at(10*time.Second+1, "the grace is over")
		l.at(11*time.Second, "still")
		compare(t, "cache_grace.txt", l.text.String())
	})
}

// TestCacheReplaced has other snapshots published while the answers are still true: a
// result, an override, the end.
func TestCacheReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := follow(t, 10*time.Second,
			service("database", time.Hour, health.PolicyStrict, scripted{}),
			service("redis", time.Hour, health.PolicyIgnore, scripted{takes: 1500 * time.Millisecond}))
		l.at(0, "redis has not answered")
		l.at(time.Second, "still")
		l.at(1500*time.Millisecond, "redis answers")
		l.at(2*time.Second, "nothing is new")
		l.monitor.Override(health.OverrideNotReady)
		l.at(2*time.Second, "not ready by override")
		l.monitor.Override(health.NoOverride)
		l.at(2*time.Second, "the override is lifted")
		l.at(3*time.Second, "nothing is new")
		l.monitor.Drain()
		l.at(3*time.Second, "shutting down")
		compare(t, "cache_replaced.txt", l.text.String())
	})
}
