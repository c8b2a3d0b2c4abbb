package health_test

import (
	"context"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// fake is a dependency that does as it is told, and keeps a record.
type fake struct {
	// answer is what the nth check does, counted from 1. Nil answers at once.
	answer func(ctx context.Context, n int) (health.Observation, error)

	mu sync.Mutex
	calls
}

// calls is the record of a fake.
type calls struct {
	starts, ends  []time.Time
	redials       []int // the checks before which it was told to redial
	running, most int   // checks at once
}

// seen is the record so far.
func (f *fake) seen() calls {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.calls
	c.starts, c.ends, c.redials = slices.Clone(c.starts), slices.Clone(c.ends), slices.Clone(c.redials)
	return c
}

func (f *fake) Check(ctx context.Context) (health.Observation, error) {
	n := f.enter()
	defer f.leave()
	if f.answer == nil {
		return health.Observation{}, nil
	}
	return f.answer(ctx, n)
}

func (f *fake) Redial() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.redials = append(f.redials, len(f.starts)+1)
}

func (f *fake) enter() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, time.Now())
	f.running++
	f.most = max(f.most, f.running)
	return len(f.starts)
}

func (f *fake) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, time.Now())
	f.running--
}

// following answers with a history, a letter a check, and repeats the last one.
func following(history string) *fake {
	return &fake{answer: func(_ context.Context, n int) (health.Observation, error) {
		if f := faults[rune(history[min(n, len(history))-1])]; f != nil {
			return health.Observation{}, f
		}
		return health.Observation{}, nil
	}}
}

// stuck never answers before it is released, and ignores its context.
func stuck(release <-chan struct{}) *fake {
	return &fake{answer: func(context.Context, int) (health.Observation, error) {
		<-release
		return health.Observation{}, nil
	}}
}

// waiting never answers, and minds its context.
func waiting() *fake {
	return &fake{answer: func(ctx context.Context, _ int) (health.Observation, error) {
		<-ctx.Done()
		return health.Observation{}, ctx.Err()
	}}
}

// checkedBy sets the checker.
func checkedBy(c health.Checker) func(*health.Service) {
	return func(s *health.Service) { s.Checker = c }
}

// timing sets the interval and the timeout.
func timing(interval, timeout time.Duration) func(*health.Service) {
	return func(s *health.Service) { s.Interval, s.Timeout = interval, timeout }
}

// tester is a test or one of rapid's.
type tester interface {
	Cleanup(func())
	Fatal(...any)
}

func newMonitor(t tester, services ...*health.Service) *health.Monitor {
	m, err := health.NewMonitor(services)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// watch starts a monitor in a synctest bubble. It ends with the test, or when stop
// is called, which returns what Start did.
func watch(t tester, services ...*health.Service) (m *health.Monitor, stop func() error) {
	m = newMonitor(t, services...)
	return m, run(t, m)
}

func run(t tester, m *health.Monitor) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	synctest.Wait()
	return stop
}

// recorder is a subscriber that keeps what it is given.
type recorder struct {
	mu    sync.Mutex
	views []*health.View
}

func record(m *health.Monitor) *recorder {
	r := &recorder{}
	m.Subscribe(func(v *health.View) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.views = append(r.views, v)
	})
	return r
}

func (r *recorder) all() []*health.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.views)
}

// pass lets time go by in a synctest bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// verdict is a service's status and reason, as read now.
func verdict(m *health.Monitor, name string) string {
	r, _ := m.View().Service(name)
	if r.Reason() == "" {
		return r.Status.String()
	}
	return r.Status.String() + " " + string(r.Reason())
}
