package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// writer is a ResponseWriter that can be used again and keeps nothing.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
func (w *writer) WriteHeader(int)             {}

func newRequest(method, target string) *http.Request {
	return httptest.NewRequest(method, target, http.NoBody)
}

// BenchmarkPublish renders every answer of four and of sixteen services after one of them was
// checked.
func BenchmarkPublish(b *testing.B) {
	for name, details := range map[string]server.Details{"full": server.Full, "safe": server.Safe} {
		for _, services := range []int{4, 16} {
			b.Run(fmt.Sprintf("%s/%d", name, services), func(b *testing.B) {
				publish := publishing(services, details)
				b.ReportAllocs()
				for b.Loop() {
					publish()
				}
			})
		}
	}
}

// publishing returns what publishes a view in which another one of so many services was checked.
func publishing(services int, details server.Details) (publish func()) {
	first := scenario.Many(services)
	views := []*health.View{first}
	results := slices.Clone(first.Results())
	for i, r := range results {
		at := first.Time().Add(time.Duration(i+1) * time.Millisecond)
		results[i] = r.Next(scenario.Outcome(r.Service.Kind.Service, at, nil))
		views = append(views, health.NewView(at, slices.Clone(results), health.NoOverride, false))
	}
	h := scenario.NewHandler(first, details)
	next := 0
	return func() {
		next = (next + 1) % len(views)
		h.Publish(views[next])
	}
}

// BenchmarkMade renders what is made on demand, of an hour, for each request.
func BenchmarkMade(b *testing.B) {
	s, told := scenario.AnHour().Remembered()
	from := &scenario.Monitor{Latest: s}
	h := scenario.WithPage(from, told, server.Full)
	for name, target := range map[string]string{"page": "/", "history": "/health/history"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, w := newRequest(http.MethodGet, target), &writer{header: http.Header{}}
			for b.Loop() {
				next := *s // another view, of the same
				from.Latest = &next
				h.ServeHTTP(w, r)
			}
		})
	}
}
