package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Monitor watches services. It owns every goroutine that checks them, and is the
// only writer of what they are known to be.
type Monitor struct {
	began  time.Time
	loops  []*loop
	latest atomic.Pointer[View] // as it was published

	mu        sync.Mutex // serialises publications
	observers []func(*View)
}

// NewMonitor returns a monitor of the services, in the order in which readers show
// them. Nothing is checked before Start. Its error lists everything that is wrong with
// them, by [Service]'s rules: each name is there once, too.
func NewMonitor(services []*Service) (*Monitor, error) {
	if err := validate(services); err != nil {
		return nil, fmt.Errorf("monitor services: %w", err)
	}
	now := time.Now()
	m := &Monitor{began: now}
	s := snapshot{time: now}
	for i, svc := range services {
		r := NewResult(svc, now)
		s.results = append(s.results, r)
		m.loops = append(m.loops, &loop{monitor: m, index: i, svc: svc, result: r, soon: make(chan struct{}, 1)})
	}
	m.latest.Store(s.at(now))
	return m, nil
}

// Start checks every service, at once and then on its interval, until ctx is done.
// It returns when every check has come back, or a second after ctx is done with an
// error that names the checks that have not.
func (m *Monitor) Start(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(m.loops))
	for i, l := range m.loops {
		wg.Go(func() { errs[i] = l.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// View returns what is known now. Where nothing has expired since it was published, it
// costs one atomic load and no allocation.
func (m *Monitor) View() *View { return m.latest.Load().At(time.Now()) }

// Subscribe gives each observer the present view, and then every new one. Observers are
// called one after the other: for each view in the order in which they are given here,
// after those of an earlier call. Publishing waits for them, so they must not block: one
// that does I/O reads from [Monitor.Updates] instead.
func (m *Monitor) Subscribe(observers ...func(*View)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observers = append(m.observers, observers...)
	tell(observers, m.View())
}

func tell(observers []func(*View), v *View) {
	for _, observe := range observers {
		observe(v)
	}
}

// Updates returns a channel that receives the present view and then every new one, in
// order. A reader that falls more than 64 behind misses the oldest ones, never the
// latest.
func (m *Monitor) Updates() <-chan *View {
	updates := make(chan *View, 64)
	m.Subscribe(func(v *View) {
		for {
			select {
			case updates <- v:
				return
			default:
			}
			select {
			case <-updates:
			default:
			}
		}
	})
	return updates
}

// Found publishes what the peers told about the fault of a service. A finding about an
// earlier fault, or on a service that there is not, changes nothing.
func (m *Monitor) Found(service string, f Finding) {
	l := m.loop(service)
	if l == nil {
		return
	}
	m.publish(func(s *snapshot) { s.results[l.index] = s.results[l.index].found(f, s.time) })
}

// CheckSoon has a service checked within a second, on a fresh connection, or as soon as
// the check that is running has ended. It does not block.
func (m *Monitor) CheckSoon(service string) {
	l := m.loop(service)
	if l == nil {
		return
	}
	select {
	case l.soon <- struct{}{}:
	default: // asked for already
	}
}

func (m *Monitor) loop(service string) *loop {
	for _, l := range m.loops {
		if l.svc.Name == service {
			return l
		}
	}
	return nil
}

// Override sets or, with NoOverride, lifts the break-glass.
func (m *Monitor) Override(o Override) {
	m.publish(func(s *snapshot) { s.override = o })
}

// Drain makes the Pod not ready for good, because the process is about to exit.
func (m *Monitor) Drain() {
	m.publish(func(s *snapshot) { s.draining = true })
}

// MaxIdle is how long the scheduler may not have run before this process counts as stuck.
const MaxIdle = 60 * time.Second

// Idle is how long the scheduler has not run: the longest over its services. It
// says nothing about any dependency, since waiting for a hung check is running.
func (m *Monitor) Idle() time.Duration {
	now := time.Since(m.began)
	var idle time.Duration
	for _, l := range m.loops {
		idle = max(idle, now-time.Duration(l.beat.Load()))
	}
	return idle
}

// publish changes what is known and tells everyone, as it is to be read now: a result
// that expired meanwhile is stale.
func (m *Monitor) publish(change func(*snapshot)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s := m.latest.Load().snapshot
	s.time, s.results = now, slices.Clone(s.results)
	change(&s)
	v := s.at(now)
	m.latest.Store(v)
	tell(m.observers, v)
}
