package main

import (
	"bytes"
	"context"
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
	now := time.Now()
	s := &health.Snapshot{Time: now}
	for _, p := range all {
		s.Results = append(s.Results, p.last())
	}
	handler := server.NewHandler(still{s.At(now)}, server.Options{Details: server.Full})
	client, err := check.NewClient(check.Options{
		URL: &url.URL{Scheme: "http", Host: "in-process"}, Timeout: time.Minute, Transport: inProcess{handler},
	})
	if err != nil {
		return nil, err
	}
	d, err := client.Detailed(ctx, check.Measure{Count: 1, MaxAge: time.Minute})
	if err != nil {
		return nil, err
	}
	d.URL, d.Direct = "", true
	for i := range d.Services {
		d.Services[i].Answers, d.Services[i].Probes = all[i].times()
	}
	return d, nil
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
type still struct{ snapshot *health.Snapshot }

func (s still) Snapshot() *health.Snapshot { return s.snapshot }
func (still) Idle() time.Duration          { return 0 }

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
