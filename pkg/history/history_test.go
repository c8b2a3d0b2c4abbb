package history_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/test/scenario"
)

var epoch = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

// kinds are made once, as in the program: they are no part of a history.
var kinds = map[string]*health.Kind{
	"database": scenario.Kind("database"), "redis": scenario.Kind("redis"),
	"minio": scenario.Kind("minio"), "ollama": scenario.Kind("ollama"),
}

func services(names ...string) []*health.Service {
	var all []*health.Service
	for _, name := range names {
		all = append(all, &health.Service{
			Name: name, Kind: kinds[name], Interval: 10 * time.Second, Timeout: 2 * time.Second,
			FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyStrict,
		})
	}
	return all
}

// story is a history that is told views, as a monitor would.
type story struct {
	*history.History
	now *health.View
}

func newStory(names ...string) *story {
	all := services(names...)
	var results []health.Result
	for _, svc := range all {
		results = append(results, health.NewResult(svc, epoch))
	}
	s := &story{History: history.New(all)}
	s.tell(health.NewView(epoch, results, health.NoOverride, false))
	return s
}

// check has a check of one service end at a moment.
func (s *story) check(i int, when time.Duration, latency time.Duration, reason health.Reason) {
	o := health.Outcome{Started: at(when), Finished: at(when), Observation: health.Observation{Latency: latency}}
	if reason != "" {
		o.Fault = &health.Fault{Reason: reason}
	}
	results := slices.Clone(s.now.Results())
	results[i] = results[i].Next(o)
	s.tell(health.NewView(at(when), results, s.now.Override(), s.now.Draining()))
}

func (s *story) tell(next *health.View) {
	s.now = next
	s.Observe(next)
}

func TestSamples(t *testing.T) {
	t.Parallel()
	s := newStory("database", "redis")
	s.check(0, 1*time.Second, 1234567*time.Nanosecond, "")
	s.check(1, 2*time.Second, 1*time.Nanosecond, redis.ReasonOutOfMemory)
	s.check(0, 11*time.Second, 0, health.ReasonRefused)
	s.tell(health.NewView(at(12*time.Second), s.now.Results(), health.OverrideReady, false)) // no result
	s.check(0, 12*time.Second, 0, "of another program")
	want := []health.Sample{
		{Time: at(1 * time.Second), Status: health.Healthy, Latency: 1235 * time.Microsecond},
		{Time: at(11 * time.Second), Status: health.Healthy, Reason: health.ReasonRefused},
		{Time: at(12 * time.Second), Status: health.Unhealthy, Reason: health.ReasonError},
	}
	if diff := cmp.Diff(want, s.Samples("database", epoch)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1:], s.Samples("database", at(11*time.Second))); diff != "" {
		t.Errorf("since the second (-want +got):\n%s", diff)
	}
	want = []health.Sample{{Time: at(2 * time.Second), Status: health.Degraded, Latency: time.Microsecond, Reason: redis.ReasonOutOfMemory}}
	if diff := cmp.Diff(want, s.Samples("redis", epoch)); diff != "" {
		t.Errorf("redis (-want +got):\n%s", diff)
	}
	if got := s.Samples("database", at(time.Minute)); len(got) > 0 {
		t.Errorf("after the last: %v", got)
	}
	if got := s.Samples("mysql", epoch); got != nil {
		t.Errorf("of no service: %v", got)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	s := newStory("database")
	s.check(0, 1*time.Second, time.Millisecond, "")
	s.check(0, 11*time.Second, time.Millisecond, "")
	s.check(0, 21*time.Second, 0, health.ReasonRefused)
	s.check(0, 22*time.Second, 0, health.ReasonRefused)
	s.check(0, 32*time.Second, 0, health.ReasonTimeout)
	s.check(0, 42*time.Second, time.Millisecond, "")
	s.tell(health.NewView(at(43*time.Second), s.now.Results(), health.NoOverride, true))
	want := []health.Change{
		{Time: at(1 * time.Second), From: "unknown", To: "healthy"},
		{Time: at(22 * time.Second), From: "healthy", To: "unhealthy", Reason: health.ReasonRefused},
		{Time: at(32 * time.Second), From: "unhealthy", To: "unhealthy", Reason: health.ReasonTimeout},
		{Time: at(42 * time.Second), From: "unhealthy", To: "healthy"},
	}
	if diff := cmp.Diff(want, s.Changes("database", epoch)); diff != "" {
		t.Errorf("of the service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[2:], s.Changes("database", at(32*time.Second))); diff != "" {
		t.Errorf("since the third (-want +got):\n%s", diff)
	}
	want = []health.Change{
		{Time: at(1 * time.Second), From: "not_ready", To: "ready"},
		{Time: at(22 * time.Second), From: "ready", To: "not_ready", Reason: health.ReasonRefused},
		{Time: at(42 * time.Second), From: "not_ready", To: "ready"},
		{Time: at(43 * time.Second), From: "ready", To: "not_ready", Reason: "shutdown"},
	}
	if diff := cmp.Diff(want, s.Changes(history.Readiness, epoch)); diff != "" {
		t.Errorf("of readiness (-want +got):\n%s", diff)
	}
	if got := s.Changes("mysql", epoch); got != nil {
		t.Errorf("of no service: %v", got)
	}
}

// A result that goes stale is a change, dated when it did, though no result came in.
func TestStale(t *testing.T) {
	t.Parallel()
	s := newStory("database", "redis")
	s.check(0, 1*time.Second, time.Millisecond, "")
	s.check(1, 50*time.Second, time.Millisecond, "")
	got := s.Changes("database", at(2*time.Second))
	want := []health.Change{{Time: at(23 * time.Second), From: "healthy", To: "unhealthy", Reason: health.ReasonStale}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStaleBetweenTwo has a result go stale and its grace run out, and nothing be
// published before the next good one.
func TestStaleBetweenTwo(t *testing.T) {
	t.Parallel()
	s := newStory("database")
	s.now.Results()[0].Service.ReadinessGrace = 10 * time.Second
	s.check(0, 1*time.Second, time.Millisecond, "")
	s.check(0, 50*time.Second, time.Millisecond, "")
	want := []health.Change{
		{Time: at(23 * time.Second), From: "healthy", To: "unhealthy", Reason: health.ReasonStale},
		{Time: at(50 * time.Second), From: "unhealthy", To: "healthy"},
	}
	if diff := cmp.Diff(want, s.Changes("database", at(2*time.Second))); diff != "" {
		t.Errorf("of the service (-want +got):\n%s", diff)
	}
	want = []health.Change{
		{Time: at(33 * time.Second), From: "ready", To: "not_ready", Reason: health.ReasonStale},
		{Time: at(50 * time.Second), From: "not_ready", To: "ready"},
	}
	if diff := cmp.Diff(want, s.Changes(history.Readiness, at(2*time.Second))); diff != "" {
		t.Errorf("of readiness (-want +got):\n%s", diff)
	}
}

// TestClockSetBack: what comes later is never dated earlier.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s := newStory("database")
	s.check(0, 10*time.Second, time.Millisecond, "")
	s.check(0, 5*time.Second, time.Millisecond, health.ReasonOverloaded)
	s.check(0, 6*time.Second, time.Millisecond, health.ReasonOverloaded)
	s.check(0, 12*time.Second, time.Millisecond, health.ReasonOverloaded)
	var times []int
	for _, sample := range s.Samples("database", at(10*time.Second)) {
		times = append(times, int(sample.Time.Sub(epoch)/time.Second))
	}
	if diff := cmp.Diff([]int{10, 10, 10, 12}, times); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	want := []health.Change{
		{Time: at(10 * time.Second), From: "unknown", To: "healthy"},
		{Time: at(10 * time.Second), From: "healthy", To: "degraded", Reason: health.ReasonOverloaded},
	}
	if diff := cmp.Diff(want, s.Changes("database", at(10*time.Second))); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// A reason that is not in the set is not kept: readers write it as it is.
func TestUnknownReason(t *testing.T) {
	t.Parallel()
	s := newStory("database")
	s.check(0, time.Second, 0, `"of another program`)
	for _, name := range []string{"database", history.Readiness} {
		for _, c := range s.Changes(name, epoch) {
			if c.Reason != health.ReasonError {
				t.Errorf("%q: %q", name, c.Reason)
			}
		}
	}
	if n := len(s.Changes("database", epoch)); n != 1 {
		t.Errorf("%d changes", n)
	}
}

// TestBounded fills a history far beyond what it keeps, with a service that never
// settles, and counts the bytes against what Capacity's comment promises.
func TestBounded(t *testing.T) {
	const promised = 260_000 + 50_000
	names := []string{"database", "redis", "minio", "ollama"}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := newStory(names...)
	for n := range 3 * history.Capacity {
		reason := health.ReasonRefused
		if n/2%2 == 0 {
			reason = ""
		}
		for i := range names {
			s.check(i, time.Duration(n)*time.Second, time.Millisecond, reason)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if size := int64(after.HeapAlloc) - int64(before.HeapAlloc); size > promised*11/10 {
		t.Errorf("%d bytes, promised %d", size, promised)
	}
	samples := s.Samples("redis", epoch)
	if n := len(samples); n != history.Capacity {
		t.Errorf("%d samples", n)
	}
	if last, want := samples[len(samples)-1].Time, at((3*history.Capacity-1)*time.Second); !last.Equal(want) {
		t.Errorf("the latest is of %s, want %s", last, want)
	}
	if n := len(s.Changes("redis", epoch)); n != 128 {
		t.Errorf("%d changes", n)
	}
	runtime.KeepAlive(s)
}

// Observing a result that changes nothing allocates nothing.
func TestAllocsObserve(t *testing.T) {
	s := newStory("database", "redis")
	s.check(0, 1*time.Second, time.Millisecond, "")
	s.check(1, 1*time.Second, time.Millisecond, "")
	before := s.now
	s.check(0, 2*time.Second, time.Millisecond, "")
	after := s.now
	if n := testing.AllocsPerRun(100, func() {
		s.Observe(before)
		s.Observe(after)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := len(s.Samples("database", epoch)); n < 200 {
		t.Errorf("%d samples: nothing was observed", n)
	}
}

// TestReadWhileWritten has readers look at a full ring while it is overwritten: what
// they see is whole, in order and without a gap.
func TestReadWhileWritten(t *testing.T) {
	t.Parallel()
	s := newStory("database")
	next := func(n int) { s.check(0, time.Duration(n)*time.Second, time.Duration(n+1)*time.Millisecond, "") }
	for n := range history.Capacity {
		next(n)
	}
	ctx, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	for range 2 {
		reading.Go(func() {
			for ctx.Err() == nil {
				wantWhole(t, s.Samples("database", epoch))
			}
		})
	}
	for n := range 3 * history.Capacity {
		next(history.Capacity + n)
	}
	stop()
	reading.Wait()
}

func wantWhole(t *testing.T, samples []health.Sample) {
	t.Helper()
	for i, got := range samples {
		n := int(got.Time.Sub(epoch) / time.Second)
		if got.Latency != time.Duration(n+1)*time.Millisecond {
			t.Errorf("sample of second %d has the latency %s", n, got.Latency)
			return
		}
		if i > 0 && got.Time.Sub(samples[i-1].Time) != time.Second {
			t.Errorf("sample of second %d follows that of %s", n, samples[i-1].Time)
			return
		}
	}
}
