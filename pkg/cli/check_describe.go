package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// describe puts results into the words of /health: they go through the sidecar's own
// handler, in memory, and are read as a client reads them.
func describe(ctx context.Context, all []probed) (*check.Details, error) {
	var results []health.Result
	for _, p := range all {
		results = append(results, p.merged())
	}
	v := health.NewView(time.Now(), results, health.NoOverride, false)
	handler := server.NewHandler(still{v}, server.Options{Details: server.Full})
	client := check.NewClient(check.Options{
		URL: &url.URL{Scheme: "http", Host: "in-process"}, Timeout: time.Minute, Transport: inProcess{handler},
	})
	d, err := client.Detailed(ctx, check.Measure{Count: 1, MaxAge: time.Minute})
	if err != nil {
		return nil, err
	}
	d.URL, d.Direct, d.Success = "", true, true
	for i, p := range all {
		s := &d.Services[i]
		s.Answers, s.Probes = p.times()
		s.Failed, s.Problems = p.failures()
		d.Success = d.Success && s.Failed == 0
	}
	d.Ready = "ready"
	if r := v.Readiness(); !r.Ready {
		d.Ready, d.Success = "not_ready", false
		for _, c := range r.Causes {
			d.NotReady = append(d.NotReady, fmt.Sprintf("%s: %s: %s", c.Source, c.Reason, c.Message))
		}
	}
	return d, nil
}

// merged is the last result, proven by any of the probes as a sidecar's would be, and
// with no grace: a run that ends now cannot wait for what comes after it.
func (p probed) merged() health.Result {
	r := p.last()
	svc := *r.Service
	svc.ReadinessGrace = 0
	r.Service = &svc
	for _, other := range p {
		r.Proven = r.Proven || other.Proven
	}
	return r
}

// failures counts the probes that failed and, where there were several probes, tells
// each reason once.
func (p probed) failures() (failed int, problems []string) {
	counts := make(map[string]int)
	var reasons []string
	for _, r := range p {
		if r.Status != health.Unhealthy {
			continue
		}
		failed++
		reason := string(r.Reason()) + ": " + r.Message()
		if counts[reason]++; counts[reason] == 1 {
			reasons = append(reasons, reason)
		}
	}
	if len(p) == 1 { // what is shown of the service is that probe
		return failed, nil
	}
	for _, reason := range reasons {
		problems = append(problems, fmt.Sprintf("%d of %d probes: %s", counts[reason], len(p), reason))
	}
	return failed, problems
}

// times sums up how long the probes took, and how long the service took to answer
// those that it answered.
func (p probed) times() (took, answered *check.Distribution) {
	var durations, latencies []float64
	for _, r := range p {
		durations = append(durations, float64(r.Last.Duration().Microseconds())/1000)
		if r.Last.Answered() {
			latencies = append(latencies, float64(r.Last.Observation.Latency.Microseconds())/1000)
		}
	}
	return check.Distribute(durations), check.Distribute(latencies)
}

// still is a source that never changes.
type still struct{ view *health.View }

func (s still) View() *health.View { return s.view }
func (still) Idle() time.Duration  { return 0 }

// inProcess carries requests to a handler with no network between.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: make(http.Header)}
	t.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.code, Header: w.header, Body: io.NopCloser(&w.body), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(code int)        { w.code = code }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
