package checking

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/poll"
)

// Open returns the checker of a service that these variables configure. It is closed when the
// test ends.
func Open(t *testing.T, service *config.Service, environ ...string) dependency.Checker {
	t.Helper()
	if _, _, err := config.Load(config.Options{Services: []*config.Service{service}, Environ: environ}); err != nil {
		t.Fatal(err)
	}
	settings, ok := service.Settings.(dependency.Settings)
	if !ok {
		t.Fatalf("%T", service.Settings)
	}
	c, err := settings.Open(dependency.Instance{Prefix: service.Prefix(), Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Fails runs a check that must fail for this reason.
func Fails(t *testing.T, c health.Checker, want health.Reason) {
	t.Helper()
	_ = Fault(t, c, want)
}

// Fault runs a check that must fail for this reason and returns how it did.
func Fault(t *testing.T, c health.Checker, want health.Reason) *health.Fault {
	t.Helper()
	_, err := c.Check(t.Context())
	return WantFault(t, err, want)
}

// WantFault returns the fault that a check's error must be, and fails the test for any other
// reason.
func WantFault(t *testing.T, err error, want health.Reason) *health.Fault {
	t.Helper()
	var f *health.Fault
	if !errors.As(err, &f) || f.Reason != want {
		t.Fatalf("Check returned %v, want a fault of reason %s", err, want)
	}
	return f
}

// Healthy runs a check that must not fail.
func Healthy(t *testing.T, c health.Checker) health.Observation {
	t.Helper()
	seen, err := c.Check(t.Context())
	if err != nil {
		t.Fatalf("Check failed: %v", err)
	}
	return seen
}

// Declared returns what a check saw, each value of which the kind must declare, with the
// same unit.
func Declared(t *testing.T, kind dependency.Kind, seen health.Observation) health.Observation {
	t.Helper()
	for _, v := range seen.Values {
		i := slices.IndexFunc(kind.Measures, func(m health.Measure) bool { return m.Name == v.Name })
		if i < 0 {
			t.Errorf("the kind %s does not declare %s", kind.Name, v.Name)
		} else if want := kind.Measures[i].Unit; v.Unit != want {
			t.Errorf("%s has the unit %d, and the kind %s declares %d", v.Name, v.Unit, kind.Name, want)
		}
	}
	return seen
}

// few is what the process may hold more after many checks than after one: a connection that
// is kept, say, which the first check did not get in time on a busy machine. One leak per
// check is far above it.
const few = 10

// LeaksNothing lets check run fifty times and compares the goroutines and descriptors of
// the process with those after the first: there may be a few more. The test must not be
// parallel.
func LeaksNothing(t *testing.T, check func()) {
	t.Helper()
	check()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 50 {
		check()
	}
	poll.Seen(t, time.Minute, "hardly more goroutines and descriptors than before", func() (string, bool) {
		nowGoroutines, nowFiles := runtime.NumGoroutine(), openFiles(t)
		return fmt.Sprintf("%d goroutines, before %d; %d descriptors, before %d", nowGoroutines, goroutines, nowFiles, files),
			nowGoroutines <= goroutines+few && nowFiles <= files+few
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Password returns a source of this password, as a checker's options take it.
func Password(p string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p, nil }
}

// OneRoundTrip checks over and over: one round trip each, on one connection that
// Redial replaces, and that may die while idle.
func OneRoundTrip(t *testing.T, w *Wire, p interface {
	health.Checker
	health.Redialer
},
) {
	t.Helper()
	before := w.Trips.Load()
	for i := range int64(5) {
		Healthy(t, p)
		if trips, dials := w.Trips.Load()-before, w.Dials.Load(); trips != i+1 || dials != 1 {
			t.Errorf("%d checks made %d round trips on %d connections, want one each on one", i+1, trips, dials)
		}
	}
	p.Redial()
	Healthy(t, p)
	Healthy(t, p)
	if got := w.Dials.Load(); got != 2 {
		t.Errorf("%d connections after Redial, want 2", got)
	}
	w.HangUp()
	Healthy(t, p) // a connection that died while idle is no failure
}

// Says checks that a fault's words hold all of these.
func Says(t *testing.T, f *health.Fault, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(f.Message, w) {
			t.Errorf("message %q does not mention %q", f.Message, w)
		}
	}
}

// Breakable is a server that can be made to fail; those of test/servers are.
type Breakable interface {
	Freeze() error
	Thaw() error
	Kill() error
	Start(context.Context) error
}

// Survives takes a server away in two ways and gives it back, with a checker that knows
// it and, while it is frozen, the others as well. While it is frozen, no check may take
// more than ten times the timeout that the checkers have.
func Survives(t *testing.T, server Breakable, timeout time.Duration, p health.Checker, others ...health.Checker) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	Healthy(t, p)
	must(server.Freeze())
	for _, c := range append(others, p, p) {
		start := time.Now()
		Fails(t, c, health.ReasonTimeout)
		if took := time.Since(start); took > 10*timeout {
			t.Errorf("a frozen server held the check for %v", took)
		}
	}
	must(server.Thaw())
	poll.Until(t, "recovery after a freeze", func() bool { _, err := p.Check(t.Context()); return err == nil })
	must(server.Kill())
	Fails(t, p, health.ReasonRefused)
	must(server.Start(t.Context()))
	poll.Until(t, "recovery after a restart", func() bool { _, err := p.Check(t.Context()); return err == nil })
}
