package health

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Monitor watches services. It owns every goroutine that checks them, and is the
// only writer of the snapshot.
type Monitor struct {
	began    time.Time
	loops    []*loop
	snapshot atomic.Pointer[Snapshot]

	mu          sync.Mutex // serialises publications
	subscribers []func(*Snapshot)
}

// NewMonitor returns a monitor of the services, in the order in which readers show
// them. Nothing is checked before Start.
func NewMonitor(services []*Service) *Monitor {
	now := time.Now()
	m := &Monitor{began: now}
	s := &Snapshot{Time: now, asOf: now}
	for i, svc := range services {
		r := NewResult(svc, now)
		s.Results = append(s.Results, r)
		m.loops = append(m.loops, &loop{monitor: m, index: i, svc: svc, result: r})
	}
	m.snapshot.Store(s)
	return m
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

// Snapshot returns the latest snapshot. It costs one atomic load.
func (m *Monitor) Snapshot() *Snapshot { return m.snapshot.Load() }

// Subscribe has f called with the present snapshot, and then with every new one, in
// order. Publishing waits for f, so f must not block: a subscriber that does I/O
// reads from [Monitor.Updates] instead.
func (m *Monitor) Subscribe(f func(*Snapshot)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, f)
	f(m.Snapshot())
}

// Updates returns a channel that receives the present snapshot and then every new
// one, in order. A reader that falls more than 64 behind misses the oldest ones,
// never the latest.
func (m *Monitor) Updates() <-chan *Snapshot {
	updates := make(chan *Snapshot, 64)
	m.Subscribe(func(s *Snapshot) {
		for {
			select {
			case updates <- s:
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

// Override sets or, with NoOverride, lifts the break-glass.
func (m *Monitor) Override(o Override) {
	m.publish(func(s *Snapshot) { s.Override = o })
}

// Drain makes the Pod not ready for good, because the process is about to exit.
func (m *Monitor) Drain() {
	m.publish(func(s *Snapshot) { s.Draining = true })
}

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

// publish makes the next snapshot, as it is to be read now: a result that expired
// meanwhile is in it as stale.
func (m *Monitor) publish(change func(*Snapshot)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *m.Snapshot()
	next.Results = slices.Clone(next.Results)
	next.Time = time.Now()
	change(&next)
	next.readAt(next.Time)
	m.snapshot.Store(&next)
	for _, f := range m.subscribers {
		f(&next)
	}
}
