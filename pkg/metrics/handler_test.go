package metrics_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/metrics"
)

// Only GET and HEAD of /metrics show anything; no answer may be kept or guessed at.
func TestRoutes(t *testing.T) {
	t.Parallel()
	handler := newPod(time.Now(), services...).Handler()
	for request, want := range map[string]int{
		"GET /metrics":     200,
		"GET /metrics?x=y": 200,
		"HEAD /metrics":    200,
		"POST /metrics":    405,
		"DELETE /metrics":  405,
		"OPTIONS /metrics": 405,
		"GET /":            404,
		"GET /health":      404,
		"GET /metrics/":    404,
		"GET /metrics/x":   404,
		"POST /":           404,
	} {
		method, target, _ := strings.Cut(request, " ")
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(method, target, nil))
		if rec.Code != want {
			t.Errorf("%s: %d, want %d", request, rec.Code, want)
		}
		if shown := strings.Contains(rec.Body.String(), "reims_"); shown != (want == 200) {
			t.Errorf("%s: metrics shown: %v", request, shown)
		}
		allow := ""
		if want == 405 {
			allow = "GET, HEAD"
		}
		for name, value := range map[string]string{
			"Allow": allow, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		} {
			if got := rec.Header().Get(name); got != value {
				t.Errorf("%s: %s %q, want %q", request, name, got, value)
			}
		}
	}
}

func TestScrapeWhileObserving(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), services...)
	var scrapes sync.WaitGroup
	for range 3 {
		scrapes.Go(func() {
			for range 50 {
				p.scrape(t)
			}
		})
	}
	for i := range 500 {
		reasons := health.Reasons(registry.Kinds().Described()...)
		p.check(services[i%len(services)], fail(reasons[i%len(reasons)]))
		p.check(services[i%len(services)], answer(time.Millisecond))
	}
	scrapes.Wait()
}

// A scrape too many is turned away, and the ones in flight are served.
func TestScrapesAreBounded(t *testing.T) {
	t.Parallel()
	const bound = 4
	entered, release := make(chan struct{}), make(chan struct{})
	m := metrics.New(metrics.BuildInfo{}, nil, func() *health.View {
		entered <- struct{}{}
		<-release
		return health.NewView(time.Now(), nil, health.NoOverride, false)
	}, slog.New(slog.DiscardHandler))
	handler := m.Handler()
	get := func() int {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return rec.Code
	}
	codes := make(chan int, bound)
	for range bound {
		go func() { codes <- get() }()
		<-entered
	}
	refused := make(chan int, 1)
	go func() { refused <- get() }()
	select {
	case <-entered:
		t.Errorf("scrape %d was let in", bound+1)
	case code := <-refused:
		if code != http.StatusServiceUnavailable {
			t.Errorf("scrape %d: %d, want 503", bound+1, code)
		}
	}
	close(release)
	for range bound {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a scrape in flight: %d, want 200", code)
		}
	}
}

// One series that can't be shown costs neither the others nor the silence of the
// log.
func TestBadSeries(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	v := health.NewView(time.Now(), []health.Result{
		health.NewResult(&health.Service{Name: "not UTF-8: \xff", Interval: time.Second, Timeout: time.Second}, time.Now()),
	}, health.NoOverride, false)
	m := metrics.New(metrics.BuildInfo{}, nil, func() *health.View { return v }, slog.New(slog.NewTextHandler(&log, nil)))
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "reims_health_ready 0") {
		t.Errorf("%d: %s", rec.Code, rec.Body)
	}
	if !strings.Contains(log.String(), "scrape incomplete") {
		t.Errorf("log: %q", log.String())
	}
}
