package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	retryDelay      = time.Second      // longest delay to the next check while the verdict is in doubt
	lostDelay       = time.Second / 4  // longest delay to the next check after a connection was lost
	heartbeatPeriod = 10 * time.Second // longest sleep of a loop without a heartbeat
	exitTimeout     = time.Second      // for a running check, after the monitor was stopped
	// lagPeriod is the longest time between two measurements of our own lateness while a check runs. With a CPU quota, a
	// process runs at the start of each period of the kernel, 100 ms by default. A timer of 100 ms would always be on time.
	lagPeriod = 20 * time.Millisecond
)

// loop checks one service. Only the goroutine that runs it uses its fields, except for
// heartbeat and the sending side of checkNow.
type loop struct {
	monitor  *Monitor
	index    int
	svc      *Service
	result   Result
	flight   chan Outcome  // receives the outcome of the running check; nil if none runs
	started  time.Time     // when that check started
	lagTimer *lagTimer     // measures how late this process ran since that check or its last record
	late     time.Duration // how late this process ran before the last record of that check
	starved  bool          // the latest outcome was discarded
	checkNow chan struct{} // holds a token if a check was requested by CheckSoon
	redial   bool          // the next check must use no old connection

	replaceAt      time.Time    // when the connections that the checker keeps are too old
	broughtForward bool         // the next or running check was brought forward because a connection was lost
	ignoreLost     time.Time    // until then a lost connection brings no check forward
	together       bool         // the latest check may have coincided with those of other Pods
	heartbeat      atomic.Int64 // when the loop last ran, since the monitor began
}

func (l *loop) run(ctx context.Context) error {
	l.lagTimer = newLagTimer()
	defer l.lagTimer.Stop()
	l.together = true
	for delay := time.Duration(0); l.sleep(ctx, delay); delay = l.delay() {
		if l.inFlight() {
			l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}})
			continue
		}
		l.start(ctx)
		l.wait(ctx)
	}
	return l.drain()
}

// inFlight reports whether the previous check is still running.
func (l *loop) inFlight() bool {
	select {
	case <-l.flight:
		l.flight = nil
	default:
	}
	return l.flight != nil
}

// delay returns the random time to the next check: the interval plus or minus a tenth, or
// half to all of retryDelay for a retry. With a fixed delay, retries could coincide with a
// periodic fault each time and confirm an outage that does not exist. A start, a fault or
// a lost connection makes the checks of many Pods coincide. After these the delay is
// between 0.1 and 1.1 intervals, because plus or minus a tenth would take minutes to
// spread the checks.
func (l *loop) delay() time.Duration {
	switch {
	case l.flight == nil && l.doubtful():
		l.together = true
		return between(0.5, 1, min(retryDelay, l.svc.Interval))
	case l.flight != nil && l.result.disputed(): // it hangs: wait as long as another check would take
		l.together = true
		return min(between(0.5, 1, retryDelay)+l.svc.Timeout, l.svc.Interval)
	case l.flight == nil && l.together:
		l.together = false
		return between(0.1, 1.1, l.svc.Interval)
	}
	return between(0.9, 1.1, l.svc.Interval)
}

// doubtful reports whether the next check is a retry.
func (l *loop) doubtful() bool { return l.result.InDoubt() || l.starved }

// between returns a random duration from low times d to high times d.
func between(low, high float64, d time.Duration) time.Duration {
	return time.Duration((low + (high-low)*rand.Float64()) * float64(d))
}

// start starts a check. Its context ends after 95 % of the timeout, so that a check that
// obeys its context can still report what it was waiting for.
func (l *loop) start(ctx context.Context) {
	l.lagTimer.restart()
	l.started, l.late = l.lagTimer.since, 0
	flight := make(chan Outcome, 1)
	l.flight = flight
	lifetime := l.svc.ConnectionLifetime
	redial := l.redial || l.result.InDoubt() || lifetime > 0 && !l.started.Before(l.replaceAt)
	l.redial = false
	if redial {
		l.replaceAt = l.started.Add(between(5./6, 1, lifetime))
	}
	ctx, cancel := context.WithTimeout(ctx, l.svc.Timeout-l.svc.Timeout/20)
	go func() { // wait, inFlight and drain wait for it
		defer cancel()
		flight <- check(ctx, l.svc.Checker, redial)
	}()
}

// wait records the outcome of the running check, or a timeout. It wakes up every
// 20 ms, or twenty times per timeout, to measure how late this process is woken up.
func (l *loop) wait(ctx context.Context) {
	deadline := l.started.Add(l.svc.Timeout)
	for time.Now().Before(deadline) {
		l.lagTimer.set(min(l.svc.Timeout/20, lagPeriod, time.Until(deadline)))
		select {
		case <-ctx.Done():
			return
		case o := <-l.flight:
			l.flight = nil
			if ctx.Err() == nil { // otherwise the shutdown ended the check
				l.record(o)
			}
			return
		case <-l.lagTimer.C:
			l.awake()
		}
	}
	l.record(Outcome{Fault: &Fault{Reason: ReasonTimeout}})
}

// record judges an outcome, moves the state machine and publishes the result.
func (l *loop) record(o Outcome) {
	l.beat()
	o.Started, o.Finished = l.started, l.lagTimer.observe()
	o = judge(l.svc, o, o.Finished.Sub(l.lagTimer.since), l.lagTimer.lag)
	l.late += l.lagTimer.lag
	if l.flight != nil && excused(o.Duration(), l.late, l.svc.Timeout) {
		o.Starved = true // it hangs, but this process was not yet on time for a whole timeout
	}
	l.starved = o.Starved
	l.lagTimer.restart()
	if l.broughtForward && o.Fault == nil && !o.Starved {
		l.ignoreLost = o.Finished.Add(lostIntervals * l.svc.Interval)
	}
	l.broughtForward = false
	l.result = l.result.Next(o)
	l.monitor.publish(func(s *snapshot) { s.results[l.index] = l.result.keepFinding(s.results[l.index]) })
}

// sleep waits, and reports false if ctx is done first. When a check returns after its
// timeout was recorded, sleep shortens the wait to the delay of a retry.
func (l *loop) sleep(ctx context.Context, d time.Duration) bool {
	start := time.Now()
	for l.beat(); time.Since(start) < d; l.awake() {
		checkNow := l.checkNow
		if l.flight != nil { // the next check starts only after the hanging one has returned
			checkNow = nil
		}
		l.lagTimer.set(min(heartbeatPeriod, d-time.Since(start)))
		select {
		case <-ctx.Done():
			return false
		case <-l.flight:
			l.flight = nil
			if l.doubtful() {
				d = min(d, l.delay())
			}
		case <-checkNow:
			l.redial, l.together = true, true
			d = min(d, time.Since(start)+between(0.5, 1, min(retryDelay, l.svc.Interval)))
		case <-l.svc.Lost:
			d = min(d, time.Since(start)+l.bringForward(d-time.Since(start)))
		case <-l.lagTimer.C:
		}
	}
	return ctx.Err() == nil
}

// lostIntervals is for how many intervals lost connections are ignored after a check that
// was brought forward and found no fault.
const lostIntervals = 10

// bringForward returns the time to the next check after a connection was lost. It is random
// and at most lostDelay, so that the checks of many Pods do not coincide. A check is brought
// forward at most once per interval. If it finds no fault, as with a server that closes idle
// connections on purpose, then not again for lostIntervals. A check that is due sooner
// keeps its time.
func (l *loop) bringForward(left time.Duration) time.Duration {
	now := time.Now()
	if l.flight != nil || l.broughtForward || now.Before(l.ignoreLost) || left <= lostDelay {
		return left
	}
	l.broughtForward, l.ignoreLost, l.together = true, now.Add(l.svc.Interval), true
	return between(0, 1, lostDelay)
}

// awake measures how late this process was woken up, and records a heartbeat.
func (l *loop) awake() {
	l.lagTimer.observe()
	l.beat()
}

func (l *loop) beat() { l.heartbeat.Store(int64(time.Since(l.monitor.began))) }

// drain waits for a check that is still running after the monitor was stopped.
func (l *loop) drain() error {
	if l.flight == nil {
		return nil
	}
	select {
	case <-l.flight:
		return nil
	case <-time.After(exitTimeout):
		return fmt.Errorf("check %s: still running %s after its context ended: abandoned", l.svc.Name, exitTimeout)
	}
}

// check runs one check. A panic in it becomes a fault of the service.
func check(ctx context.Context, c Checker, redial bool) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = Outcome{Fault: &Fault{Reason: ReasonPanic, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}}
		}
	}()
	if r, ok := c.(Redialer); ok && redial {
		r.Redial()
	}
	seen, err := c.Check(ctx)
	return Outcome{Observation: seen, Fault: faultOf(err)}
}

// lagTimer is a timer that measures how late its owner observes it, which is how long this
// process did not get the CPU. The time between a wake-up and the next set counts as
// well, because the owner does almost nothing then.
type lagTimer struct {
	*time.Timer
	due   time.Time
	since time.Time     // when the measurement began, see restart
	lag   time.Duration // the sum since then
}

func newLagTimer() *lagTimer {
	t := &lagTimer{Timer: time.NewTimer(0)}
	t.restart()
	return t
}

// restart begins a new measurement.
func (t *lagTimer) restart() {
	t.since = time.Now()
	t.due, t.lag = t.since, 0
}

func (t *lagTimer) set(d time.Duration) {
	t.due = t.observe().Add(d)
	t.Reset(d)
}

// observe adds how late the process wakes up now, and returns the present time. Waking up
// before the timer is due adds nothing.
func (t *lagTimer) observe() time.Time {
	now := time.Now()
	t.lag += max(0, now.Sub(t.due))
	t.due = now
	return now
}
