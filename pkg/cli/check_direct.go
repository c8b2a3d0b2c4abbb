package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// direct runs the probes of all services concurrently in this process, and shows what a
// sidecar would answer after the last one. It fails if any probe failed.
func (c *checkCommand) direct(ctx context.Context, from *source) error {
	cfg, warnings, err := from.config()
	printWarnings(c.stderr, warnings)
	if err != nil {
		return err
	}
	log := newLogger(cfg, c.stderr)
	cfg.OnSecretHint(logHint(log))
	services, closeClients, err := NewServices(cfg, from.kinds, nil, log)
	defer closeClients()
	if err != nil {
		return redacted(cfg, err)
	}
	waiting := newWaiting(services)
	stop := c.progress(waiting.String)
	probed, err := probeAll(ctx, services, max(1, c.count), waiting)
	stop()
	if err != nil {
		return c.failed(redacted(cfg, err))
	}
	o, d, err := describe(ctx, probed, from.kinds)
	if err != nil {
		return c.failed(err)
	}
	for i := range d.Services {
		d.Services[i].Error = driverText(cfg, probed[i].worst())
	}
	if c.mode == modeDetailed {
		return c.details(d)
	}
	o.Probed(d)
	return c.overview(o)
}

// driverText returns the driver's error text without secrets, for a person at a terminal.
func driverText(cfg *config.Config, r health.Result) string {
	fault := r.Fault()
	if fault == nil || fault.Err == nil {
		return ""
	}
	return cfg.Redactor().Redact(fault.Err.Error())
}

// probed is a service's results, one per probe.
type probed []health.Result

func (p probed) last() health.Result { return p[len(p)-1] }

// worst returns the latest result that failed, or the last one if none did.
func (p probed) worst() health.Result {
	for _, r := range slices.Backward(p) {
		if r.Status == health.Unhealthy {
			return r
		}
	}
	return p.last()
}

// probeAll runs count probes of each service, all services at once.
func probeAll(ctx context.Context, services []*health.Service, count int, waiting *waitingFor) ([]probed, error) {
	all := make([]probed, len(services))
	group, ctx := errgroup.WithContext(ctx)
	for i, svc := range services {
		group.Go(func() error {
			defer waiting.done(svc.Name)
			for range count {
				r, err := probeOnce(ctx, svc)
				if err != nil {
					return err
				}
				all[i] = append(all[i], r)
			}
			return nil
		})
	}
	return all, group.Wait()
}

// probeOnce returns the first verdict of a monitor of its own, which applies the timeout,
// recovers from a panic, and retries if this process was starved of CPU.
func probeOnce(ctx context.Context, svc *health.Service) (health.Result, error) {
	monitor, err := health.NewMonitor([]*health.Service{svc})
	if err != nil {
		return health.Result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	updates := monitor.Updates()
	var group errgroup.Group
	group.Go(func() error { return monitor.Start(running) })
	for {
		select {
		case <-ctx.Done():
			return health.Result{}, errors.Join(errors.New("interrupted"), group.Wait())
		case v := <-updates:
			if r := v.Results()[0]; r.Checks > 0 {
				stop()
				_ = group.Wait() // a check that hangs has been judged
				return r, nil
			}
		}
	}
}

// waitingFor lists the services that have not been probed yet.
type waitingFor struct {
	mu    sync.Mutex
	names []string
}

func newWaiting(services []*health.Service) *waitingFor {
	w := &waitingFor{}
	for _, s := range services {
		w.names = append(w.names, s.Name)
	}
	return w
}

func (w *waitingFor) done(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range w.names {
		if n == name {
			w.names = append(w.names[:i:i], w.names[i+1:]...)
			return
		}
	}
}

func (w *waitingFor) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return "waiting for " + strings.Join(w.names, ", ")
}

// describe converts results to the form of /health: the sidecar's own handler serves them
// in memory, and they are read as a client reads them.
func describe(ctx context.Context, all []probed, kinds dependency.Kinds) (*check.Overview, *check.Details, error) {
	var results []health.Result
	for _, p := range all {
		results = append(results, p.merged())
	}
	v := health.NewView(time.Now(), results, health.NoOverride, false)
	handler := server.NewHandler(staticSource{v}, server.Options{Details: server.Full})
	client := check.NewClient(check.Options{
		URL: &url.URL{Scheme: "http", Host: "in-process"}, Timeout: time.Minute, Transport: inProcess{handler},
		Kinds: kinds.Described(),
	})
	o, err := client.Overview(ctx, time.Minute)
	if err != nil {
		return nil, nil, err
	}
	d, err := client.Detailed(ctx, check.Measure{Count: 1, MaxAge: time.Minute})
	if err != nil {
		return nil, nil, err
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
	return o, d, nil
}

// merged returns the last result. It is proven if any of the probes proved the service, as
// in a sidecar. There is no grace, because this run ends now.
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

// failures counts the failed probes and, if there were several probes, lists each reason
// once.
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

// times summarizes how long the probes took, and how long the service took to answer
// where it did.
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

// staticSource is a source that never changes.
type staticSource struct{ view *health.View }

// View returns the view.
func (s staticSource) View() *health.View { return s.view }

// Idle returns 0: there is no loop that could hang.
func (staticSource) Idle() time.Duration { return 0 }

// inProcess is a transport that calls a handler without a network.
type inProcess struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: make(http.Header)}
	t.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.code, Header: w.header, Body: io.NopCloser(&w.body), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// recorder is the response that the handler writes.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *recorder) WriteHeader(code int) { w.code = code }

// Write implements [http.ResponseWriter].
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
