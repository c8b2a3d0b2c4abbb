package main

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// part names of the results.
const (
	partHandler = "Handler"
	partServer  = "Server"
	partProbe   = "Probe"
	partRest    = "Rest"
	partStart   = "Start"
)

// handlerTime is how long each handler is called in each round.
const handlerTime = "100ms"

// handlerCandidate is a handler, and a path of it.
type handlerCandidate struct {
	of, path string
	handler  http.Handler
}

// handlerCandidates returns what is compared. All tell the state of four services, but for
// controller-runtime's "ok".
func handlerCandidates() ([]handlerCandidate, error) {
	us := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	same := answerOf(us, "/health")
	candidates := []handlerCandidate{{bare, "/health", &same}}
	for _, path := range []string{"/health", "/health?verbose", "/health/ready", "/health/live"} {
		candidates = append(candidates, handlerCandidate{ours, path, us})
	}
	for _, name := range libraries() {
		handler, path, err := library(name, free())
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, handlerCandidate{name, path, handler})
		if name == controllerRuntime {
			candidates = append(candidates, handlerCandidate{name, "/", handler})
		}
	}
	return candidates, nil
}

// measureHandlers calls each handler for a while, in this process and with no network.
func measureHandlers(r *results) error {
	candidates, err := handlerCandidates()
	if err != nil {
		return err
	}
	if err := flag.Set("test.benchtime", handlerTime); err != nil {
		return err
	}
	for _, i := range r.shuffled(len(candidates)) {
		c := candidates[i]
		result := testing.Benchmark(func(b *testing.B) { //nolint:thelper // it is the benchmark
			b.ReportAllocs()
			request, w := httptest.NewRequest(http.MethodGet, c.path, http.NoBody), &writer{header: http.Header{}}
			for b.Loop() {
				c.handler.ServeHTTP(w, request)
			}
		})
		r.add(partHandler, []string{"of", c.of, "path", c.path},
			value{float64(result.T) / float64(time.Nanosecond) / float64(result.N), unitTime},
			value{float64(result.AllocsPerOp()), unitAllocs})
	}
	return nil
}

// writer is a response writer that keeps nothing, and can be used again.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
func (w *writer) WriteHeader(int)             {}
