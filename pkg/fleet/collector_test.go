package fleet_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
)

var (
	shop    = fleet.Workload{Namespace: "shop", Name: "reims"}
	healthy = farm.Healthy()
	refused = farm.Refused()
)

func target(pods []fleet.Pod) *fleet.Target {
	return &fleet.Target{Workload: shop, Service: "reims-health", Interval: 5 * time.Second, Pods: pods}
}

// rounds are the summaries that a collector passes to its subscriber.
type rounds struct {
	mu  sync.Mutex
	all []*fleet.Summary
}

func (r *rounds) add(s *fleet.Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
}

func (r *rounds) list() []*fleet.Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// collect runs a collector of the farm until the test ends.
func collect(t *testing.T, f *farm.Farm, o fleet.Options) (*fleet.Collector, *rounds) {
	t.Helper()
	o.Dial = f.Dial
	c, received := fleet.NewCollector(o), &rounds{}
	c.Subscribe(received.add)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := f.Open(); n != 0 {
			t.Errorf("%d connections are left open", n)
		}
	})
	return c, received
}

func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestCollectorFollowsAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c, received := collect(t, f, fleet.Options{})
		if c.Summary(shop) != nil || len(c.Summaries()) > 0 {
			t.Fatal("a summary of nothing")
		}
		c.Set(target(farm.Pods(12, 4, 3)))
		after(1500 * time.Millisecond)
		s := c.Summary(shop)
		if s == nil || s.Status != health.Healthy || s.Known != 12 || s.Answering != 12 || s.Ready != 12 {
			t.Fatalf("the first round: %+v", s)
		}
		after(time.Minute)
		f.Set(farm.Some(func(i int) bool { return i < 4 }, refused, healthy))
		after(10 * time.Second)
		if got := database(c.Summary(shop)); got.Status != health.Degraded || got.Extent != fleet.ExtentNode || !slices.Equal(got.Names, []string{"node-000"}) {
			t.Errorf("one node fails: %+v", got)
		}
		f.Set(farm.Always(refused))
		after(12 * time.Second)
		broken := time.Now()
		if got := database(c.Summary(shop)); got.Status != health.Unhealthy || got.Extent != fleet.ExtentShared || got.Pods[health.Unhealthy] != 12 ||
			!slices.Equal(got.Reasons, []fleet.ReasonCount{{Reason: health.ReasonRefused, Pods: 12}}) {
			t.Errorf("all fail: %+v", got)
		}
		f.Set(farm.Always(healthy))
		after(12 * time.Second)
		if got := database(c.Summary(shop)); got.Status != health.Healthy || got.Extent != fleet.ExtentNone || got.Since.Before(broken) {
			t.Errorf("all is well again: %+v", got)
		}
		// One round per interval, in order.
		all := received.list()
		for i := 2; i < len(all); i++ {
			if d := all[i].At.Sub(all[i-1].At); d < 5*time.Second || d > 5100*time.Millisecond {
				t.Errorf("round %d came after %s", i, d)
			}
		}
		var statuses []health.Status
		for _, change := range c.Changes(shop) {
			if change.Service == "database" && change.From.Status != change.To.Status {
				statuses = append(statuses, change.To.Status)
			}
		}
		statuses = slices.Compact(statuses)
		if len(statuses) < 3 || statuses[0] != health.Degraded || !slices.Contains(statuses, health.Unhealthy) || statuses[len(statuses)-1] != health.Healthy {
			t.Errorf("changes: %v", statuses)
		}
	})
}

// The answer of a Pod that stops answering counts for three intervals; then the Pod is unknown.
func TestAnswersCountForThreeIntervals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c, _ := collect(t, f, fleet.Options{})
		c.Set(target(farm.Pods(4, 2, 0)))
		after(time.Minute)
		f.Set(farm.Some(func(i int) bool { return i == 0 }, farm.Behaviour{Refused: true}, healthy))
		lost := time.Now()
		after(9 * time.Second)
		s := c.Summary(shop)
		if p := s.Pods[0]; s.Answering != 4 || p.Silent.Before(lost) || !p.Answers() {
			t.Errorf("after 9 s: %+v", p)
		}
		after(17 * time.Second)
		s = c.Summary(shop)
		if p := s.Pods[0]; s.Answering != 3 || p.Answers() || p.Answer.Failure != fleet.FailureUnreachable || s.Status != health.Healthy ||
			!cmp.Equal(s.Failures, map[fleet.Failure]int{fleet.FailureUnreachable: 1}) || database(s).Pods[health.Unknown] != 1 {
			t.Errorf("after 26 s: %+v, %+v", p, s)
		}
		f.Set(farm.Always(healthy))
		after(12 * time.Second)
		if s = c.Summary(shop); s.Answering != 4 || !s.Pods[0].Silent.IsZero() {
			t.Errorf("it answers again: %+v", s)
		}
	})
}

// Each failed request counts as its failure, and not as a status of the services.
func TestFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		behaviours := []farm.Behaviour{
			{Refused: true},
			{Silent: true},
			{Response: []byte("HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")},
			{Response: farm.Respond(`{"services":{}`)},
			healthy,
		}
		f := farm.New(func(a netip.AddrPort) farm.Behaviour { return behaviours[farm.Number(a)] })
		c, _ := collect(t, f, fleet.Options{})
		c.Set(target(farm.Pods(5, 5, 0)))
		after(20 * time.Second)
		s := c.Summary(shop)
		want := map[fleet.Failure]int{fleet.FailureUnreachable: 1, fleet.FailureTimeout: 1, fleet.FailureStatus: 1, fleet.FailureProtocol: 1}
		if diff := cmp.Diff(want, s.Failures); diff != "" || s.Answering != 1 || s.Status != health.Unknown {
			t.Errorf("%s, %+v", diff, s)
		}
	})
}

// A new Pod is asked soon, one that is gone leaves no connection, and the
// others' answers stay.
func TestPodsComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c, received := collect(t, f, fleet.Options{})
		pods := farm.Pods(6, 3, 0)
		c.Set(target(pods[:4]))
		after(30 * time.Second)
		if n := f.Open(); n != 4 || f.Connections() != 4 {
			t.Errorf("%d connections are open of %d, want one per Pod, kept", n, f.Connections())
		}
		c.Set(target(pods[2:]))
		after(1100 * time.Millisecond)
		if n := f.Open(); n != 4 || f.Connections() != 6 {
			t.Errorf("%d connections are open of %d", n, f.Connections())
		}
		after(5 * time.Second)
		if s := c.Summary(shop); s.Answering != 4 || s.Pods[0].Name != pods[2].Name {
			t.Errorf("%+v", s)
		}
		moved := slices.Clone(pods[2:])
		moved[0].Address = farm.Address(99)
		c.Set(target(moved))
		after(1100 * time.Millisecond)
		if n := f.Open(); n != 4 || f.Connections() != 7 {
			t.Errorf("a Pod moved: %d connections are open of %d", n, f.Connections())
		}
		c.Remove(shop)
		c.Remove(shop)
		after(time.Second)
		before, rounds := f.Requests(), len(received.list())
		if c.Summary(shop) != nil || len(c.Summaries()) > 0 || c.Changes(shop) != nil || f.Open() != 0 {
			t.Errorf("a workload that was removed is there: %d connections", f.Open())
		}
		after(time.Minute)
		if f.Requests() != before || len(received.list()) != rounds {
			t.Error("a workload that was removed is asked")
		}
		c.Set(target(nil))
		after(2 * time.Second)
		if s := c.Summary(shop); s == nil || s.Known != 0 || s.Status != health.Unknown {
			t.Errorf("a workload without Pods: %+v", s)
		}
	})
}

// The requests are spread over the interval, and the interval grows with many Pods.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pods, perSecond int // the bound
		rate            float64
	}{
		{100, 500, 20}, {1000, 500, 200}, {1000, 100, 100}, {2500, 250, 250},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := farm.New(farm.Always(healthy))
			collector, _ := collect(t, f, fleet.Options{RequestsPerSecond: c.perSecond})
			collector.Set(target(farm.Pods(c.pods, 10, 3)))
			after(30 * time.Second) // the first requests; then each Pod has its phase
			var most int64
			begin := f.Requests()
			const seconds = 20
			for last, i := begin, 0; i < seconds; i++ {
				after(time.Second)
				most = max(most, f.Requests()-last)
				last = f.Requests()
			}
			rate := float64(f.Requests()-begin) / seconds
			if rate < 0.93*c.rate || rate > 1.02*c.rate || float64(most) > 1.3*c.rate+2 || most > int64(c.perSecond)+11 {
				t.Errorf("%d Pods: %.1f questions per second, at most %d, want %v", c.pods, rate, most, c.rate)
			}
			if s := collector.Summary(shop); s.Answering != c.pods {
				t.Errorf("%d of %d answer", s.Answering, c.pods)
			}
		})
	}
}

// There is no summary before every Pod has been asked.
func TestFirstRoundWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Some(func(i int) bool { return i%3 == 0 }, farm.Behaviour{Silent: true}, healthy))
		c, received := collect(t, f, fleet.Options{})
		c.Set(target(farm.Pods(3000, 10, 3)))
		after(5 * time.Second)
		if all := received.list(); len(all) > 0 {
			t.Errorf("after 5 s: %+v", all[0])
		}
		after(10 * time.Second)
		for _, s := range received.list() {
			if s.Status != health.Healthy || s.Answering < 1900 {
				t.Errorf("%s: %d answer", s.Status, s.Answering)
			}
		}
		if len(received.list()) == 0 {
			t.Error("no round after 15 s")
		}
	})
}

// Two workloads have separate summaries, in order, and are removed one by one.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Some(func(i int) bool { return i < 10 }, healthy, refused))
		c, _ := collect(t, f, fleet.Options{})
		other := fleet.Workload{Namespace: "bank", Name: "reims"}
		c.Set(target(farm.Pods(20, 2, 0)[:10]))
		t2 := *target(farm.Pods(20, 2, 0)[10:])
		t2.Workload = other
		c.Set(&t2)
		after(10 * time.Second)
		all := c.Summaries()
		if len(all) != 2 || all[0].Target.Workload != other || all[0].Status != health.Unhealthy || all[1].Status != health.Healthy {
			t.Errorf("%+v", all)
		}
		c.Remove(other)
		after(10 * time.Second)
		if all = c.Summaries(); len(all) != 1 || all[0].Target.Workload != shop {
			t.Errorf("%+v", all)
		}
	})
}

// A new interval applies at once, and no answer is lost.
func TestIntervalChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c, received := collect(t, f, fleet.Options{})
		every := func(d time.Duration) *fleet.Target {
			next := target(farm.Pods(4, 2, 0))
			next.Interval = d
			return next
		}
		c.Set(every(time.Hour))
		after(20 * time.Minute)
		f.Set(farm.Always(refused))
		c.Set(every(2 * time.Second))
		after(5 * time.Second)
		if s := c.Summary(shop); s.Interval != 2*time.Second || s.Status != health.Unhealthy || database(s).Pods[health.Unhealthy] != 4 {
			t.Errorf("5 s after the interval became 2 s: %+v", s)
		}
		for _, s := range received.list() {
			if s.Status == health.Unknown {
				t.Errorf("at %s: %+v", s.At, s)
			}
		}
		c.Set(every(time.Hour))
		asked := f.Requests()
		after(10 * time.Minute)
		if n := f.Requests() - asked; n > 8 { // those in flight, and at most one per Pod
			t.Errorf("%d questions in 10 minutes, with an interval of an hour", n)
		}
		// New Pods are asked soon with any interval.
		next := every(30 * time.Minute)
		next.Pods = farm.Pods(8, 2, 0)
		c.Set(next)
		asked = f.Requests()
		after(2 * time.Second)
		if n := f.Requests() - asked; n < 4 {
			t.Errorf("%d questions to 4 new Pods", n)
		}
	})
}

// An answer does not count longer while the next request is slow.
func TestAnswersAgeWhileAQuestionIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c, _ := collect(t, f, fleet.Options{Timeout: time.Minute})
		c.Set(target(farm.Pods(4, 2, 0)))
		after(time.Minute)
		f.Set(farm.Always(farm.Behaviour{Silent: true}))
		after(30 * time.Second)
		if s := c.Summary(shop); s.Answering != 0 || s.Failures[fleet.FailureTimeout] != 4 || s.Pods[0].Silent.IsZero() {
			t.Errorf("after 30 s: %+v", s)
		}
		f.Set(farm.Always(healthy))
		after(time.Minute)
		if s := c.Summary(shop); s.Answering != 4 || s.Status != health.Healthy || !s.Pods[0].Silent.IsZero() {
			t.Errorf("it answers again: %+v", s)
		}
	})
}

// Alive reports a loop that hangs, and none without workloads.
func TestAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := farm.New(farm.Always(healthy))
		c := fleet.NewCollector(fleet.Options{Dial: f.Dial})
		hang := make(chan struct{})
		c.Subscribe(func(*fleet.Summary) { <-hang })
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		alive := func(when string, want bool) {
			t.Helper()
			if err := c.Alive(); (err == nil) != want {
				t.Errorf("%s: %v", when, err)
			}
		}
		alive("before it runs", true)
		go func() { done <- c.Run(ctx) }()
		after(10 * time.Minute)
		alive("without a workload", true)
		c.Set(target(farm.Pods(2, 2, 0)))
		after(30 * time.Second)
		alive("as it began to hang", true)
		after(time.Minute)
		alive("while it hangs", false)
		close(hang)
		after(time.Second)
		alive("as it goes on", true)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		alive("when it has ended", true)
	})
}
