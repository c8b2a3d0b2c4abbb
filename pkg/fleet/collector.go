package fleet

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout  = 2 * time.Second
	defaultRequests = 500
	// keptIntervals is the number of intervals for which an answer counts.
	keptIntervals = 3
	// maxKeepAlive is the longest interval at which connections stay open between two requests.
	// With a longer one, an open connection costs more than it saves.
	maxKeepAlive = 10 * time.Second
	// firstRequestWindow is the time in which new Pods are asked first; longer if there are many.
	firstRequestWindow = time.Second
	// shortPause and longPause are the shortest time for which Run sleeps, since waking for each
	// request would cost more than the request. longPause applies while the request rate is low.
	shortPause = 50 * time.Millisecond
	longPause  = 250 * time.Millisecond
	// minInterval is the shortest interval of a target.
	minInterval = time.Second
	// defaultInterval is the interval of a target that sets none.
	defaultInterval = 5 * time.Second
	// maxPause is the longest time for which Run sleeps. After hangTimeout, Alive reports that it hangs.
	maxPause    = 10 * time.Second
	hangTimeout = time.Minute
)

// Options configure a [Collector]. The zero value of each field is its default.
type Options struct {
	// Timeout bounds one request. The default is 2 s.
	Timeout time.Duration
	// RequestsPerSecond bounds the requests over all workloads. If there are more Pods, each is
	// asked less often. The default is 500.
	RequestsPerSecond int
	// Certificate returns the client certificate for sidecars that request one. Its error fails
	// the handshake. It must be safe for concurrent use. The default is none.
	Certificate func() (tls.Certificate, error)
	// Log receives errors of this program. The default discards them.
	Log *slog.Logger
	// Dial opens connections. The default is that of package net.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Collector asks every Pod of every workload once per interval, spread evenly over the interval,
// and makes a summary per workload and interval. A Pod's newest answer counts for three intervals.
// Collector is safe for concurrent use.
type Collector struct {
	options     Options
	client      *client
	parser      *parser
	wake        chan struct{} // Run must compute again when the next request is due
	inFlight    sync.WaitGroup
	detailSlots chan struct{} // one element per request for details
	subscribers []func(*Summary)

	mu          sync.Mutex
	workloads   map[Workload]*workload
	due         schedule
	podCount    int       // over all workloads
	lastPhase   float64   // of the Pod that was added last
	lastRequest time.Time // the slot that the rate limit gave to the latest request

	lastLoop atomic.Int64 // when the loop of Run last passed, in nanoseconds; 0 while it does not run
}

// NewCollector returns a collector that has no workload yet.
func NewCollector(o Options) *Collector {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.RequestsPerSecond = cmp.Or(o.RequestsPerSecond, defaultRequests)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Collector{
		options: o, client: newClient(o.Timeout, o.Dial, o.Certificate), parser: newParser(),
		wake: make(chan struct{}, 1), detailSlots: make(chan struct{}, maxDetails), workloads: map[Workload]*workload{},
	}
}

// Subscribe makes Run call f with each summary, in order for each workload. Subscribe must be
// called before Run. f must not block.
func (c *Collector) Subscribe(f func(*Summary)) { c.subscribers = append(c.subscribers, f) }

// Set adds a workload, or replaces its target: Pods that are gone are removed, and new ones are
// asked soon.
func (c *Collector) Set(t *Target) {
	c.mu.Lock()
	w := c.workloads[t.Workload]
	if w == nil {
		w = newWorkload()
		c.workloads[t.Workload] = w
	}
	before, interval := len(w.pods), w.interval()
	gone, added := w.set(t)
	c.podCount += len(w.pods) - before
	c.scheduleNew(added)
	if w.interval() != interval {
		c.reschedule(w)
	}
	if w.summary == nil && w.next.IsZero() {
		w.addedAt = time.Now()
		w.next = w.addedAt.Add(firstRequestWindow)
	}
	c.mu.Unlock()
	closeAll(gone)
	c.wakeRun()
}

// scheduleNew schedules the first request to each new Pod: within a second, or as fast as the
// request rate allows. Later requests have a fixed phase in the interval. The phases are multiples
// of the golden ratio, which spread any number of Pods evenly.
func (c *Collector) scheduleNew(added []*pod) {
	window := max(firstRequestWindow, c.durationOf(len(added)))
	now := time.Now()
	for i, p := range added {
		const goldenRatio = 0.6180339887498949
		c.lastPhase += goldenRatio
		c.lastPhase -= float64(int(c.lastPhase))
		p.phase = c.lastPhase
		p.due = now.Add(window * time.Duration(i) / time.Duration(len(added)))
		heap.Push(&c.due, p)
	}
}

// reschedule computes the next requests and the next round again, after the interval has changed.
func (c *Collector) reschedule(w *workload) {
	now, interval := time.Now(), c.interval(w)
	for _, p := range c.due {
		if p.workload == w && !p.answer.At.IsZero() { // a Pod that was never asked keeps its time
			p.due = p.nextDue(now, interval)
		}
	}
	heap.Init(&c.due)
	if next := now.Add(w.interval()); w.next.After(next) {
		w.next = next
	}
}

// durationOf returns how long n requests take at the highest rate.
func (c *Collector) durationOf(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(c.options.RequestsPerSecond)
}

// interval returns the time between two requests to one Pod of w.
func (c *Collector) interval(w *workload) time.Duration {
	return max(w.interval(), c.durationOf(c.podCount))
}

// Remove removes a workload.
func (c *Collector) Remove(name Workload) {
	c.mu.Lock()
	w := c.workloads[name]
	if w == nil {
		c.mu.Unlock()
		return
	}
	delete(c.workloads, name)
	c.podCount -= len(w.pods)
	gone := w.remove()
	c.mu.Unlock()
	closeAll(gone)
}

// Summary returns the newest summary of a workload, or nil before its first round.
func (c *Collector) Summary(name Workload) *Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workloads[name]; w != nil {
		return w.summary
	}
	return nil
}

// Summaries returns the newest summaries, sorted by namespace and name.
func (c *Collector) Summaries() []*Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Summary
	for _, w := range c.workloads {
		if w.summary != nil {
			all = append(all, w.summary)
		}
	}
	slices.SortFunc(all, func(a, b *Summary) int { return a.Target.Workload.compare(b.Target.Workload) })
	return all
}

func (w Workload) compare(other Workload) int {
	return cmp.Or(cmp.Compare(w.Namespace, other.Namespace), cmp.Compare(w.Name, other.Name))
}

// Run asks the Pods until ctx ends, and waits for the requests in flight. It returns nil.
func (c *Collector) Run(ctx context.Context) error {
	defer c.close()
	defer c.lastLoop.Store(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		c.lastLoop.Store(time.Now().UnixNano())
		c.askDue(ctx)
		c.endRounds()
		timer.Reset(c.wait())
	}
}

// Alive returns an error if the loop of Run has not passed for a minute.
func (c *Collector) Alive() error {
	if at := c.lastLoop.Load(); at != 0 {
		if hangs := time.Since(time.Unix(0, at)); hangs > hangTimeout {
			return fmt.Errorf("the sidecars have not been asked for %s", hangs.Round(time.Second))
		}
	}
	return nil
}

// close waits for the requests in flight, and closes every connection.
func (c *Collector) close() {
	c.inFlight.Wait()
	c.mu.Lock()
	var gone []net.Conn
	for _, w := range c.workloads {
		gone = append(gone, w.disconnect()...)
	}
	c.mu.Unlock()
	closeAll(gone)
}

func closeAll(connections []net.Conn) {
	for _, conn := range connections {
		_ = conn.Close() // idle: nothing is lost
	}
}

// wakeRun makes Run compute again what is due. It does not block.
func (c *Collector) wakeRun() {
	select {
	case c.wake <- struct{}{}:
	default: // Run is about to wake anyway
	}
}

// wait returns the time until the next request or the end of the next round.
func (c *Collector) wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := maxPause
	if len(c.due) > 0 {
		next := c.due[0].due
		if free := c.lastRequest.Add(c.durationOf(1)); free.After(next) {
			next = free
		}
		wait = min(wait, max(c.pause(), time.Until(next)))
	}
	for _, w := range c.workloads {
		wait = min(wait, time.Until(w.next))
	}
	return max(0, wait)
}

// pause returns the shortest time to sleep: longPause if the Pods need at most half of the allowed
// request rate.
func (c *Collector) pause() time.Duration {
	for _, w := range c.workloads {
		if 2*c.durationOf(c.podCount) > w.interval() {
			return shortPause
		}
	}
	return longPause
}

// askDue asks the Pods that are due, at most at the allowed rate.
func (c *Collector) askDue(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, gap := time.Now(), c.durationOf(1)
	if earliest := now.Add(-2 * c.pause()); c.lastRequest.Before(earliest) {
		c.lastRequest = earliest
	}
	for len(c.due) > 0 && !c.due[0].due.After(now) && !c.lastRequest.Add(gap).After(now) {
		p, _ := heap.Pop(&c.due).(*pod)
		if p.gone {
			continue
		}
		c.lastRequest = c.lastRequest.Add(gap)
		c.ask(ctx, p)
	}
}

// ask asks one Pod, in a goroutine that ends with the timeout. The number of these goroutines is
// at most the request rate times the timeout.
func (c *Collector) ask(ctx context.Context, p *pod) {
	keep := c.interval(p.workload) <= maxKeepAlive
	to, conn, now := endpoint{p.spec.Address, p.workload.tls}, p.conn, time.Now()
	p.conn = nil
	c.inFlight.Go(func() {
		body, idle, failure := c.client.get(ctx, to, conn, keep)
		answer := Answer{At: now, Failure: failure}
		if failure == "" {
			services, err := c.parser.parse(body)
			if err != nil {
				answer.Failure = FailureProtocol
			}
			answer.Services = services
		}
		if ctx.Err() != nil { // the program stops: the failure does not concern the Pod
			closeAll(asSlice(idle))
			return
		}
		c.record(p, to, answer, idle)
	})
}

func asSlice(conn net.Conn) []net.Conn {
	if conn == nil {
		return nil
	}
	return []net.Conn{conn}
}

// record stores the answer of a Pod, and schedules the next request.
func (c *Collector) record(p *pod, to endpoint, answer Answer, idle net.Conn) {
	c.mu.Lock()
	w := p.workload
	w.counts[answer.Failure]++
	if !p.gone {
		if to.tls == w.tls { // else the TLS settings have changed during the request
			p.conn, idle = idle, nil
			p.record(answer, keptIntervals*c.interval(w))
		}
		p.due = p.nextDue(time.Now(), c.interval(w))
		heap.Push(&c.due, p) // no wakeRun: the next request is at least half an interval away
	}
	c.mu.Unlock()
	closeAll(asSlice(idle))
}

// endRounds makes a summary of each workload whose round is over, and calls the subscribers.
func (c *Collector) endRounds() {
	now := time.Now()
	var over []*workload
	c.mu.Lock()
	for _, name := range slices.SortedFunc(maps.Keys(c.workloads), Workload.compare) {
		if w := c.workloads[name]; !w.next.After(now) {
			if w.summary == nil && w.awaitsFirstAnswers(now, 2*c.interval(w)+c.options.Timeout) {
				w.next = now.Add(firstRequestWindow / 4)
				continue
			}
			w.next = now.Add(w.interval())
			over = append(over, w)
		}
	}
	c.mu.Unlock()
	for _, w := range over {
		c.endRound(w, now)
	}
}

func (c *Collector) endRound(w *workload, now time.Time) {
	c.mu.Lock()
	interval := c.interval(w)
	target, previous, pods := w.target, w.summary, w.snapshot(now, keptIntervals*interval)
	c.mu.Unlock()
	s := Summarise(target, pods, previous, now) // without the lock, since it is slow for 10,000 Pods
	s.Interval = interval
	c.mu.Lock()
	current := c.workloads[target.Workload] == w
	if current {
		w.summary = s
		w.changes = w.changes.add(previous, s)
	}
	c.mu.Unlock()
	if !current {
		return // the workload was removed meanwhile
	}
	for _, notify := range c.subscribers {
		notify(s)
	}
}
