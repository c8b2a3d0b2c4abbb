package metrics_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/metrics"
	"github.com/reims/reims-health/test/scenario"
)

var services = []string{"database", "redis", "minio", "ollama"}

// pod plays the monitor: it steps results and publishes views.
type pod struct {
	*metrics.Metrics
	now  time.Time // the end of the latest check
	view atomic.Pointer[health.View]

	// What the next view is made of. It is taken at the beginning, when none of it has
	// expired, and aged at the scrape.
	began    time.Time
	results  []health.Result
	override health.Override
	draining bool
}

func newPod(began time.Time, names ...string) *pod {
	return newPodOf(began, scenario.Kind, names...)
}

// newPodOf is a pod whose services are of the kinds that kindOf returns for their names.
func newPodOf(began time.Time, kindOf func(name string) *health.Kind, names ...string) *pod {
	p := &pod{now: began, began: began}
	for _, name := range names {
		p.results = append(p.results, health.NewResult(&health.Service{
			Name: name, Kind: kindOf(name), Interval: 5 * time.Second, Timeout: 2 * time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.PolicyStrict,
		}, began))
	}
	var services []*health.Service
	for _, r := range p.results {
		services = append(services, r.Service)
	}
	p.Metrics = metrics.New(metrics.BuildInfo{Version: "v1.2.3", Revision: "abc"}, services, p.read, slog.New(slog.DiscardHandler))
	p.publish()
	return p
}

// asksPeers has every service ask the peers whose its faults are.
func (p *pod) asksPeers() {
	for _, r := range p.results {
		r.Service.SharedFault = health.SharedFaultHold
	}
}

// found is what the peers told just now of the present fault of a service.
func (p *pod) found(service string, f health.Finding) {
	for i, r := range p.results {
		if r.Service.Name == service {
			p.results[i].Finding = f
			p.results[i].Finding.Since, p.results[i].Finding.At = r.FailingSince(), p.now
		}
	}
	p.publish()
}

func (p *pod) publish() {
	next := health.NewView(p.began, p.results, p.override, p.draining)
	p.view.Store(next)
	p.Observe(next)
}

func (p *pod) read() *health.View { return p.view.Load().At(time.Now()) }

// check gives a service an outcome that took a second, or its latency and a
// millisecond to dial.
func (p *pod) check(service string, o health.Outcome) {
	took := time.Second
	if o.Answered() {
		took = o.Observation.Latency + time.Millisecond
	}
	o.Started, o.Finished = p.now, p.now.Add(took)
	p.now = o.Finished
	for i, r := range p.results {
		if r.Service.Name == service {
			p.results[i] = r.Next(o)
		}
	}
	p.publish()
}

// answer is a check that found nothing wrong.
func answer(latency time.Duration, measures ...health.Value) health.Outcome {
	return health.Outcome{Observation: health.Observation{Latency: latency, Values: measures}}
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
