package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func BenchmarkScrape(b *testing.B) {
	p := worst(b)
	handler, req := p.Handler(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), req)
	}
}

// BenchmarkObserve is what a publication waits for.
func BenchmarkObserve(b *testing.B) {
	p := newPod(time.Now(), services...)
	p.check("redis", answer(time.Millisecond))
	before := p.view.Load()
	p.check("redis", answer(time.Millisecond))
	after := p.view.Load()
	b.ReportAllocs()
	for b.Loop() {
		p.Observe(before) // nothing new: fewer checks than before
		p.Observe(after)  // one more check
	}
}
