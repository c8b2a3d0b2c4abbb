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
	// keptIntervals is for how many intervals an answer counts.
	keptIntervals = 3
	// maxKept is the longest interval for which connections are kept between two questions:
	// in fleets that are asked less often, they cost more than they save.
	maxKept = 10 * time.Second
	// soon is within what time a new Pod is asked, where there are few of them.
	soon = time.Second
	// tick is the shortest time between two looks at which Pods are due: to wake for each question
	// would cost more than the question. It is longer where that cannot exceed the pace.
	tick     = 50 * time.Millisecond
	longTick = 250 * time.Millisecond
	// minInterval is the shortest interval that a target may want.
	minInterval = time.Second
	// defaultInterval is where a target has none.
	defaultInterval = 5 * time.Second
	// maxWait is the longest time from one look at what is due to the next, and maxHang the one after
	// which something is wrong with this program.
	maxWait = 10 * time.Second
	maxHang = time.Minute
)

// Options are those of a [Collector]. The zero value of each field is its default.
type Options struct {
	// Timeout is of one question. The default is 2 s.
	Timeout time.Duration
	// RequestsPerSecond bounds the questions over all workloads: where there are more Pods,
	// each is asked less often. The default is 500.
	RequestsPerSecond int
	// Certificate returns the client certificate for sidecars that ask for one. Its error fails
	// the handshake. It is called by several goroutines at once. The default is none.
	Certificate func() (tls.Certificate, error)
	// Log gets what is wrong with this program's own work. The default is none.
	Log *slog.Logger
	// Dial is how connections are made. The default is the net package's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Collector asks every Pod of every workload, again and again, evenly spread over the
// interval, and sums up what they say once per interval and workload. A Pod's newest answer
// counts for three intervals. It is safe for concurrent use.
type Collector struct {
	options     Options
	asker       *asker
	parser      *parser
	wake        chan struct{} // something is due sooner than it was
	asking      sync.WaitGroup
	detailing   chan struct{} // one per Pod that is asked for its details
	subscribers []func(*Summary)

	mu        sync.Mutex
	workloads map[Workload]*workload
	due       schedule
	total     int       // of Pods
	phases    float64   // of the next Pod
	asked     time.Time // by when the last question was due, as the pace has it

	looked atomic.Int64 // when Run last looked at what is due, in nanoseconds; 0 while it does not run
}

// NewCollector returns a collector that has no workload yet.
func NewCollector(o Options) *Collector {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.RequestsPerSecond = cmp.Or(o.RequestsPerSecond, defaultRequests)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return &Collector{
		options: o, asker: newAsker(o.Timeout, o.Dial, o.Certificate), parser: newParser(),
		wake: make(chan struct{}, 1), detailing: make(chan struct{}, maxDetails), workloads: map[Workload]*workload{},
	}
}

// Subscribe has f called with the summary of each round, in order for each workload. It must
// be called before Run. f must not block.
func (c *Collector) Subscribe(f func(*Summary)) { c.subscribers = append(c.subscribers, f) }

// Set begins with a workload, or goes on with it as the target now is: Pods that are gone
// are forgotten, and new ones are asked soon.
func (c *Collector) Set(t *Target) {
	c.mu.Lock()
	w := c.workloads[t.Workload]
	if w == nil {
		w = newWorkload()
		c.workloads[t.Workload] = w
	}
	before, interval := len(w.pods), w.interval()
	gone, fresh := w.set(t)
	c.total += len(w.pods) - before
	c.begin(fresh)
	if w.interval() != interval {
		c.reschedule(w)
	}
	if w.summary == nil && w.next.IsZero() {
		w.began = time.Now()
		w.next = w.began.Add(soon)
	}
	c.mu.Unlock()
	closeAll(gone)
	c.alert()
}

// begin has new Pods asked soon: within a second, or as fast as the pace allows. From then
// on, each has a place of its own in the interval. The places are multiples of the golden
// ratio, which spread any number of Pods evenly.
func (c *Collector) begin(fresh []*pod) {
	window := max(soon, c.perPods(len(fresh)))
	now := time.Now()
	for i, p := range fresh {
		const goldenRatio = 0.6180339887498949
		c.phases += goldenRatio
		c.phases -= float64(int(c.phases))
		p.phase = c.phases
		p.due = now.Add(window * time.Duration(i) / time.Duration(len(fresh)))
		heap.Push(&c.due, p)
	}
}

// reschedule has the next questions and the next round follow an interval that is another one.
func (c *Collector) reschedule(w *workload) {
	now, interval := time.Now(), c.interval(w)
	for _, p := range c.due {
		if p.workload == w && !p.answer.At.IsZero() { // one that has not been asked yet is asked soon
			p.due = p.nextDue(now, interval)
		}
	}
	heap.Init(&c.due)
	if next := now.Add(w.interval()); w.next.After(next) {
		w.next = next
	}
}

// perPods is how long it takes to ask as many Pods at the highest pace.
func (c *Collector) perPods(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(c.options.RequestsPerSecond)
}

// interval is from one question to a Pod to the next one.
func (c *Collector) interval(w *workload) time.Duration { return max(w.interval(), c.perPods(c.total)) }

// Remove forgets a workload.
func (c *Collector) Remove(name Workload) {
	c.mu.Lock()
	w := c.workloads[name]
	if w == nil {
		c.mu.Unlock()
		return
	}
	delete(c.workloads, name)
	c.total -= len(w.pods)
	gone := w.remove()
	c.mu.Unlock()
	closeAll(gone)
}

// Summary returns the newest summary of a workload; nil before its first round.
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

// Run asks until ctx ends, and waits for the questions under way. It returns nil.
func (c *Collector) Run(ctx context.Context) error {
	defer c.close()
	defer c.looked.Store(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		c.looked.Store(time.Now().UnixNano())
		c.askDue(ctx)
		c.endRounds()
		timer.Reset(c.wait())
	}
}

// Alive returns an error where Run hangs: it has not looked at what is due for a minute.
func (c *Collector) Alive() error {
	if at := c.looked.Load(); at != 0 {
		if hangs := time.Since(time.Unix(0, at)); hangs > maxHang {
			return fmt.Errorf("the sidecars have not been asked for %s", hangs.Round(time.Second))
		}
	}
	return nil
}

// close ends the questions under way, and every connection.
func (c *Collector) close() {
	c.asking.Wait()
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
		_ = conn.Close() // nothing is lost with it
	}
}

// alert has Run look at what is due. It does not block.
func (c *Collector) alert() {
	select {
	case c.wake <- struct{}{}:
	default: // it is about to look
	}
}

// wait is until something is due.
func (c *Collector) wait() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := maxWait
	if len(c.due) > 0 {
		next := c.due[0].due
		if free := c.asked.Add(c.perPods(1)); free.After(next) {
			next = free
		}
		wait = min(wait, max(c.tick(), time.Until(next)))
	}
	for _, w := range c.workloads {
		wait = min(wait, time.Until(w.next))
	}
	return max(0, wait)
}

// tick is how long to wait between two looks: longer where at most half of the questions are asked that
// the pace allows.
func (c *Collector) tick() time.Duration {
	for _, w := range c.workloads {
		if 2*c.perPods(c.total) > w.interval() {
			return tick
		}
	}
	return longTick
}

// askDue asks the Pods that are due, at most at the pace that is allowed.
func (c *Collector) askDue(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, gap := time.Now(), c.perPods(1)
	if earliest := now.Add(-2 * c.tick()); c.asked.Before(earliest) {
		c.asked = earliest
	}
	for len(c.due) > 0 && !c.due[0].due.After(now) && !c.asked.Add(gap).After(now) {
		p, _ := heap.Pop(&c.due).(*pod)
		if p.gone {
			continue
		}
		c.asked = c.asked.Add(gap)
		c.ask(ctx, p)
	}
}

// ask asks one Pod, in a goroutine that ends with the timeout. The pace bounds how many
// there are: the questions per second times the timeout.
func (c *Collector) ask(ctx context.Context, p *pod) {
	keep := c.interval(p.workload) <= maxKept
	whom, conn, now := peer{p.spec.Address, p.workload.tls}, p.conn, time.Now()
	p.conn = nil
	c.asking.Go(func() {
		body, rest, failure := c.asker.ask(ctx, whom, conn, keep)
		answer := Answer{At: now, Failure: failure}
		if failure == "" {
			services, err := c.parser.parse(body)
			if err != nil {
				answer.Failure = FailureProtocol
			}
			answer.Services = services
		}
		if ctx.Err() != nil { // the program ends: this is no word about the Pod
			closeAll(compact(rest))
			return
		}
		c.record(p, whom, answer, rest)
	})
}

func compact(conn net.Conn) []net.Conn {
	if conn == nil {
		return nil
	}
	return []net.Conn{conn}
}

// record keeps what a Pod answered, and says when it is asked again.
func (c *Collector) record(p *pod, whom peer, answer Answer, rest net.Conn) {
	c.mu.Lock()
	w := p.workload
	w.counts[answer.Failure]++
	if !p.gone {
		if whom.tls == w.tls { // else it was asked in the way of another target
			p.conn, rest = rest, nil
			p.record(answer, keptIntervals*c.interval(w))
		}
		p.due = p.nextDue(time.Now(), c.interval(w))
		heap.Push(&c.due, p) // Run looks in time: the next question is at least half an interval away
	}
	c.mu.Unlock()
	closeAll(compact(rest))
}

// endRounds sums up each workload whose round is over, and tells the subscribers.
func (c *Collector) endRounds() {
	now := time.Now()
	var over []*workload
	c.mu.Lock()
	for _, name := range slices.SortedFunc(maps.Keys(c.workloads), Workload.compare) {
		if w := c.workloads[name]; !w.next.After(now) {
			if w.summary == nil && w.waits(now, 2*c.interval(w)+c.options.Timeout) {
				w.next = now.Add(soon / 4)
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
	s := Summarise(target, pods, previous, now) // without the lock: it takes a while for 10,000 Pods
	s.Interval = interval
	c.mu.Lock()
	current := c.workloads[target.Workload] == w
	if current {
		w.summary = s
		w.changes = w.changes.add(previous, s)
	}
	c.mu.Unlock()
	if !current {
		return // it was removed meanwhile
	}
	for _, tell := range c.subscribers {
		tell(s)
	}
}
