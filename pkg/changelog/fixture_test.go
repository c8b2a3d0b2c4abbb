package changelog_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

var epoch = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// checker is a dependency that does as it is told.
type checker func() (health.Observation, error)

func (c checker) Check(context.Context) (health.Observation, error) { return c() }

func well() (health.Observation, error) { return health.Observation{}, nil }

func service(name string, c checker) *health.Service {
	return &health.Service{
		Name: name, Checker: c, Interval: 10 * time.Second, Timeout: 2 * time.Second,
		FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyStrict,
	}
}

// faults maps the letters that histories are written in to what a check returned:
// Healthy, Degraded, Unhealthy, Timeout, eXhausted (starved).
var faults = map[rune]*health.Fault{
	'H': nil,
	'D': {Reason: health.ReasonOverloaded},
	'U': {Reason: health.ReasonRefused},
	'T': {Reason: health.ReasonTimeout, Err: errors.New("i/o timeout")},
	'X': {Reason: health.ReasonTimeout},
}

// outcome is that of a check which ended at a moment and took 3 ms.
func outcome(letter rune, finished time.Time) health.Outcome {
	return health.Outcome{
		Started: finished.Add(-3 * time.Millisecond), Finished: finished,
		Fault: faults[letter], Starved: letter == 'X',
	}
}

func reading(now time.Time, r health.Result) *health.View {
	return health.NewView(now, []health.Result{r}, health.NoOverride, false)
}

func newMonitor(t *testing.T, services ...*health.Service) *health.Monitor {
	t.Helper()
	m, err := health.NewMonitor(services)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run runs a monitor until the test ends or stop is called.
func run(t *testing.T, m *health.Monitor) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

// pass lets time go by in a synctest bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
