//go:build !race

package peers_test

import (
	"net/http"
	"testing"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/peers"
)

// The race detector allocates by itself, and slows things down: these run without it.

// Being asked costs a peer no memory.
func TestAllocs(t *testing.T) {
	s := &health.Service{
		Name: "database", Checker: (*sidecar)(nil), Interval: interval, Timeout: timeout,
		FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyStrict,
	}
	monitor, err := health.NewMonitor([]*health.Service{s})
	if err != nil {
		t.Fatal(err)
	}
	h := peers.NewHandler(monitor.View, peers.NewInstance())
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://peer.test"+peers.Path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		w := &writer{header: http.Header{}}
		h.ServeHTTP(w, r)
		if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n != 0 {
			t.Errorf("%s: %v allocations", method, n)
		}
		if (w.bytes > 0) != (method == http.MethodGet) {
			t.Errorf("%s: %d bytes", method, w.bytes)
		}
	}
}

type writer struct {
	header http.Header
	bytes  int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) WriteHeader(int)             {}
func (w *writer) Write(b []byte) (int, error) { w.bytes += len(b); return len(b), nil }

// A thousand sidecars in one outage: see TestLargeFleet.
func TestFleetOfAThousand(t *testing.T) { largeFleet(t, 1000) }
