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

// Monitor checks services and publishes their results. It owns every goroutine that
// checks, and is the only writer of results.
type Monitor struct {
	began  time.Time
	loops  []*loop
	latest atomic.Pointer[View] // the latest published view

	mu        sync.Mutex // serialises publications
	observers []func(*View)
}

// NewMonitor returns a monitor of the services, in the order in which readers show
// them. Nothing is checked before Start. The error lists each invalid field of a
// [Service] and each duplicate name.
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
		m.loops = append(m.loops, &loop{monitor: m, index: i, svc: svc, result: r, checkNow: make(chan struct{}, 1)})
	}
	m.latest.Store(s.at(now))
	return m, nil
}

// Start checks every service, at once and then on its interval, until ctx is done. Then
// it waits up to a second for running checks. The error names those that did not return.
func (m *Monitor) Start(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(m.loops))
	for i, l := range m.loops {
		wg.Go(func() { errs[i] = l.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// View returns the present view. It costs one atomic load, and allocates only if
// something expired since the latest view was published.
func (m *Monitor) View() *View { return m.latest.Load().At(time.Now()) }

// Subscribe calls each observer with the present view, and then with every new one.
// Observers are called one after the other, in the order in which they subscribed.
// Publishing waits for them, so they must not block. Code that does I/O reads from
// [Monitor.Updates] instead.
func (m *Monitor) Subscribe(observers ...func(*View)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.observers = append(m.observers, observers...)
	notify(observers, m.View())
}

func notify(observers []func(*View), v *View) {
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

// Found publishes what the peers reported about the fault of a service. A finding about an
// earlier fault or an unknown service changes nothing.
func (m *Monitor) Found(service string, f Finding) {
	l := m.loop(service)
	if l == nil {
		return
	}
	m.publish(func(s *snapshot) { s.results[l.index] = s.results[l.index].found(f, s.time) })
}

// CheckSoon requests a check of a service on a new connection. It starts within a second; if
// a check is running, after that one has ended. CheckSoon does not block.
func (m *Monitor) CheckSoon(service string) {
	l := m.loop(service)
	if l == nil {
		return
	}
	select {
	case l.checkNow <- struct{}{}:
	default: // requested already
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

// Override sets the override of readiness, or ends it with NoOverride.
func (m *Monitor) Override(o Override) {
	m.publish(func(s *snapshot) { s.override = o })
}

// Drain makes the Pod not ready until the process exits. It cannot be undone.
func (m *Monitor) Drain() {
	m.publish(func(s *snapshot) { s.draining = true })
}

// MaxIdle is the value of [Monitor.Idle] above which this process counts as stuck.
const MaxIdle = 60 * time.Second

// Idle returns the time since the last heartbeat of a loop: the longest over all services.
// It says nothing about any dependency, since a loop that waits for a hanging check still
// has heartbeats.
func (m *Monitor) Idle() time.Duration {
	now := time.Since(m.began)
	var idle time.Duration
	for _, l := range m.loops {
		idle = max(idle, now-time.Duration(l.heartbeat.Load()))
	}
	return idle
}

// publish changes the snapshot, stores its view and calls the observers. A result that
// expired in the meantime is stale in that view.
func (m *Monitor) publish(change func(*snapshot)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s := m.latest.Load().snapshot
	s.time, s.results = now, slices.Clone(s.results)
	change(&s)
	v := s.at(now)
	m.latest.Store(v)
	notify(m.observers, v)
}
