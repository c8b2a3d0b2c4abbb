package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"

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

// controllerRuntime is the fastest health handler of the field, with as many checks,
// which cost nothing. One of them returns err.
func controllerRuntime(err error) http.Handler {
	return &healthz.Handler{Checks: map[string]healthz.Checker{
		"database": healthz.Ping, "redis": healthz.Ping, "minio": healthz.Ping,
		"ollama": func(*http.Request) error { return err },
	}}
}

// BenchmarkHandler compares our answers, which always tell the state of every
// service, with controller-runtime's three: a bare "ok", the list of checks, and the
// list with a failure.
func BenchmarkHandler(b *testing.B) {
	h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	for _, target := range []string{"/health", "/health/database", "/health/ready", "/health/live"} {
		b.Run(target[1:], func(b *testing.B) { benchmark(b, h, target) })
	}
	b.Run("controller-runtime/ok", func(b *testing.B) { benchmark(b, controllerRuntime(nil), "/") })
	b.Run("controller-runtime/list", func(b *testing.B) { benchmark(b, controllerRuntime(nil), "/?verbose") })
	b.Run("controller-runtime/failing", func(b *testing.B) { benchmark(b, controllerRuntime(io.EOF), "/?verbose") })
}

func benchmark(b *testing.B, h http.Handler, target string) {
	b.Helper()
	b.ReportAllocs()
	r, w := newRequest(http.MethodGet, target), &writer{header: http.Header{}}
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
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

// BenchmarkLoopback asks over one connection that is kept, client included; control
// is a handler that answers two bytes.
func BenchmarkLoopback(b *testing.B) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	for _, test := range []struct {
		name, path string
		handler    http.Handler
	}{
		{"health", "/health", scenario.NewHandler(scenario.AllWell().View(0), server.Full)},
		{"controller-runtime", "/?verbose", controllerRuntime(nil)},
		{"control", "/", ok},
	} {
		b.Run(test.name, func(b *testing.B) {
			s := httptest.NewServer(test.handler)
			defer s.Close()
			b.ReportAllocs()
			for b.Loop() {
				response, err := s.Client().Get(s.URL + test.path)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		})
	}
}
