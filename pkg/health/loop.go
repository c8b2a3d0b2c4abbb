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
	retryDelay   = time.Second      // the longest to the next check while the verdict is in doubt
	lostDelay    = time.Second / 4  // the longest to the next check once a connection was lost
	beatPeriod   = 10 * time.Second // the longest that a loop sleeps without a sign of life
	exitPatience = time.Second      // for a check in flight, once the monitor is stopped
)

// loop checks one service. Its fields belong to the goroutine that runs it, but
// for beat.
type loop struct {
	monitor  *Monitor
	index    int
	svc      *Service
	result   Result
	flight   chan Outcome  // of the check that is running, or nil
	started  time.Time     // of that check
	lagTimer *lagTimer     // measures our own lateness since that check or its last record
	starved  bool          // the latest outcome was thrown away
	soon     chan struct{} // holds a token when a check is wanted at once
	redial   bool          // the next check is to trust no old connection
	replace  time.Time     // when connections that the checker keeps are too old
	hastened bool          // a lost connection has brought the next or present check forward
	shared   bool          // the latest check came at a moment at which those of other Pods come too
	deaf     time.Time     // until when one brings none forward
	beat     atomic.Int64  // when the loop last ran, since the monitor began
}

func (l *loop) run(ctx context.Context) error {
	l.lagTimer = newLagTimer()
	defer l.lagTimer.Stop()
	l.shared = true
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

// delay is the time to the next turn. It is random: within a tenth of the interval, and a
// retry between half of retryDelay and all of it. A fixed retry would meet a fault that
// comes back with the same period each time, and confirm an outage that is none. After a
// start, a fault or a lost connection, which bring the checks of many Pods together, the
// next check is anywhere in the interval: a tenth alone would take minutes to part them.
func (l *loop) delay() time.Duration {
	switch {
	case l.flight == nil && l.doubtful():
		l.shared = true
		return between(0.5, 1, min(retryDelay, l.svc.Interval))
	case l.flight != nil && l.result.disputed(): // it hangs: for as long as another check would have had
		l.shared = true
		return min(between(0.5, 1, retryDelay)+l.svc.Timeout, l.svc.Interval)
	case l.flight == nil && l.shared:
		l.shared = false
		return between(0.1, 1.1, l.svc.Interval)
	}
	return between(0.9, 1.1, l.svc.Interval)
}

// doubtful reports whether the next check is to come soon.
func (l *loop) doubtful() bool { return l.result.InDoubt() || l.starved }

// between returns a random duration from low times d to high times d.
func between(low, high float64, d time.Duration) time.Duration {
	return time.Duration((low + (high-low)*rand.Float64()) * float64(d))
}

// start begins a check. Its context ends a twentieth before the timeout, so that
// a check that minds it can still say what it was waiting for.
func (l *loop) start(ctx context.Context) {
	l.lagTimer.restart()
	l.started = l.lagTimer.since
	flight := make(chan Outcome, 1)
	l.flight = flight
	lifetime := l.svc.ConnectionLifetime
	redial := l.redial || l.result.InDoubt() || lifetime > 0 && !l.started.Before(l.replace)
	l.redial = false
	if redial {
		l.replace = l.started.Add(between(5./6, 1, lifetime))
	}
	ctx, cancel := context.WithTimeout(ctx, l.svc.Timeout-l.svc.Timeout/20)
	go func() { // wait, inFlight and drain wait for it
		defer cancel()
		flight <- check(ctx, l.svc.Checker, redial)
	}()
}

// wait records what the check in flight returns, or that it timed out. It wakes
// up twenty times a timeout, only to measure whether it is woken in time.
func (l *loop) wait(ctx context.Context) {
	deadline := l.started.Add(l.svc.Timeout)
	for time.Now().Before(deadline) {
		l.lagTimer.set(min(l.svc.Timeout/20, beatPeriod, time.Until(deadline)))
		select {
		case <-ctx.Done():
			return
		case o := <-l.flight:
			l.flight = nil
			if ctx.Err() == nil { // else the check was cut short by us
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
	l.beatNow()
	o.Started, o.Finished = l.started, l.lagTimer.observe()
	o = judge(l.svc, o, o.Finished.Sub(l.lagTimer.since), l.lagTimer.lag)
	l.starved = o.Starved
	l.lagTimer.restart()
	if l.hastened && o.Fault == nil && !o.Starved {
		l.deaf = o.Finished.Add(lostPause * l.svc.Interval)
	}
	l.hastened = false
	l.result = l.result.Next(o)
	l.monitor.publish(func(s *snapshot) { s.results[l.index] = l.result.keepFinding(s.results[l.index]) })
}

// sleep waits, and reports false when ctx is done first. A check that comes back
// late, after its timeout was recorded, does not hold up the retry.
func (l *loop) sleep(ctx context.Context, d time.Duration) bool {
	start := time.Now()
	for l.beatNow(); time.Since(start) < d; l.awake() {
		soon := l.soon
		if l.flight != nil { // a check that hangs is not doubled: once it is back
			soon = nil
		}
		l.lagTimer.set(min(beatPeriod, d-time.Since(start)))
		select {
		case <-ctx.Done():
			return false
		case <-l.flight:
			l.flight = nil
			if l.doubtful() {
				d = min(d, l.delay())
			}
		case <-soon:
			l.redial, l.shared = true, true
			d = min(d, time.Since(start)+between(0.5, 1, min(retryDelay, l.svc.Interval)))
		case <-l.svc.Lost:
			d = min(d, time.Since(start)+l.hasten(d-time.Since(start)))
		case <-l.lagTimer.C:
		}
	}
	return ctx.Err() == nil
}

// lostPause is how many intervals pass, after a check that a lost connection had brought
// forward and that found nothing wrong, until another may.
const lostPause = 10

// hasten returns the time to the next check once a connection was lost: at most a quarter
// of a second, and random, so that Pods do not check together. That happens at most once
// per interval; and where it has found nothing wrong, which is so with a server that closes
// idle connections on purpose, not again for ten intervals. A check that was due sooner
// stays where it is.
func (l *loop) hasten(left time.Duration) time.Duration {
	now := time.Now()
	if l.flight != nil || l.hastened || now.Before(l.deaf) || left <= lostDelay {
		return left
	}
	l.hastened, l.deaf, l.shared = true, now.Add(l.svc.Interval), true
	return between(0, 1, lostDelay)
}

// awake accounts for our own lateness and gives a sign of life.
func (l *loop) awake() {
	l.lagTimer.observe()
	l.beatNow()
}

func (l *loop) beatNow() { l.beat.Store(int64(time.Since(l.monitor.began))) }

// drain waits for a check that is still running when the monitor stops.
func (l *loop) drain() error {
	if l.flight == nil {
		return nil
	}
	select {
	case <-l.flight:
		return nil
	case <-time.After(exitPatience):
		return fmt.Errorf("check %s: still running %s after its context ended: abandoned", l.svc.Name, exitPatience)
	}
}

// check runs one check. A panic in it is its service's failure.
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

// lagTimer is a timer that measures how late it is observed: for how long this process was
// not given the CPU when it was due. Time in which none is set counts as well, to
// leave no gap: whoever uses it has next to nothing to do then.
type lagTimer struct {
	*time.Timer
	due   time.Time
	since time.Time     // when measuring began, see restart
	lag   time.Duration // in all, since then
}

func newLagTimer() *lagTimer {
	a := &lagTimer{Timer: time.NewTimer(0)}
	a.restart()
	return a
}

// restart begins a new measurement.
func (a *lagTimer) restart() {
	a.since = time.Now()
	a.due, a.lag = a.since, 0
}

func (a *lagTimer) set(d time.Duration) {
	a.due = a.observe().Add(d)
	a.Reset(d)
}

// observe adds how late the process wakes up now, and returns that moment. Waking up
// before the timer is due is on time.
func (a *lagTimer) observe() time.Time {
	now := time.Now()
	a.lag += max(0, now.Sub(a.due))
	a.due = now
	return now
}
