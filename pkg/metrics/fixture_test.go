package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/metrics"
)

var services = []string{"database", "redis", "minio", "ollama"}

// pod plays the monitor: it steps results and publishes snapshots.
type pod struct {
	*metrics.Metrics
	now      time.Time // the end of the latest check
	snapshot atomic.Pointer[health.Snapshot]
}

func newPod(began time.Time, names ...string) *pod {
	p := &pod{now: began}
	p.Metrics = metrics.New(metrics.BuildInfo{Version: "v1.2.3", Revision: "abc"}, p.snapshot.Load, slog.New(slog.DiscardHandler))
	s := &health.Snapshot{Time: began}
	for _, name := range names {
		s.Results = append(s.Results, health.NewResult(&health.Service{
			Name: name, Interval: 5 * time.Second, Timeout: 2 * time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.Strict,
		}, began))
	}
	p.publish(func(next *health.Snapshot) { *next = *s })
	return p
}

func (p *pod) publish(change func(*health.Snapshot)) {
	var next health.Snapshot
	if last := p.snapshot.Load(); last != nil {
		next = *last
		next.Results = slices.Clone(last.Results)
	}
	change(&next)
	p.snapshot.Store(&next)
	p.Observe(&next)
}

// check gives a service an outcome that took a second, or its latency and a
// millisecond to dial.
func (p *pod) check(service string, o health.Outcome) {
	took := time.Second
	if o.Answered() {
		took = o.Observation.Latency + time.Millisecond
	}
	o.Started, o.Finished = p.now, p.now.Add(took)
	p.now = o.Finished
	p.publish(func(s *health.Snapshot) {
		for i, r := range s.Results {
			if r.Service.Name == service {
				s.Results[i] = r.Next(o)
			}
		}
	})
}

// answer is a check that found nothing wrong.
func answer(latency time.Duration, measures ...health.Measure) health.Outcome {
	return health.Outcome{Observation: health.Observation{Latency: latency, Measures: measures}}
}

// fail is a check that got no answer.
func fail(reason health.Reason) health.Outcome {
	return health.Outcome{Fault: &health.Fault{Reason: reason}}
}

// impaired is an answer that the check does not like.
func impaired(reason health.Reason) health.Outcome {
	o := answer(time.Millisecond)
	o.Fault = &health.Fault{Reason: reason}
	return o
}

// scrape returns every line of the exposition that is a sample: its name and labels
// as they are printed, and its value.
func (p *pod) scrape(tb testing.TB) map[string]float64 {
	tb.Helper()
	rec := httptest.NewRecorder()
	p.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		tb.Fatalf("scrape: %d: %s", rec.Code, rec.Body)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		if err != nil {
			tb.Fatalf("%q: %v", line, err)
		}
		samples[line[:i]] = value
	}
	return samples
}
