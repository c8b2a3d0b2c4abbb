//go:build !race

package server_test

import (
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// The race detector allocates by itself, and slows things down unevenly: these run
// without it.

func TestAllocs(t *testing.T) {
	h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
	for _, target := range []string{"/health", "/health/", "/health/database", "/health/ready", "/health/live", "/nosuch"} {
		wantNoAllocs(t, h, http.MethodGet, target)
		wantNoAllocs(t, h, http.MethodHead, target)
		wantNoAllocs(t, h, http.MethodPost, target)
		wantNoAllocs(t, server.AllowOrigins(nil, h), http.MethodGet, target)
	}
}

// TestAllocsPublish shows that a result costs what changed: with four times the services, much
// less than four times the allocations. It made 1,298 with four services before.
func TestAllocsPublish(t *testing.T) {
	for _, c := range []struct{ services, most int }{{4, 320}, {16, 540}} {
		publish := publishing(c.services, server.Safe)
		if n := testing.AllocsPerRun(100, publish); n > float64(c.most) {
			t.Errorf("publishing one result of %d services: %v allocations, more than %d", c.services, n, c.most)
		}
	}
}

// TestAllocsPage shows that the page is rendered once for many.
func TestAllocsPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := scenario.AnHour().Handler(server.Full)
		style := regexp.MustCompile(`assets/[^"]+\.css`).FindString(scenario.Get(h, "/").Body.String())
		wantNoAllocs(t, h, http.MethodGet, "/")
		wantNoAllocs(t, h, http.MethodGet, "/"+style)
		wantNoAllocs(t, h, http.MethodPost, "/")
	})
}

// TestAllocsStale shows that answers which have changed by age are rendered once,
// not for every request, for as long as the scheduler stands still.
func TestAllocsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := scenario.NewHandler(scenario.AllWell().View(0), server.Full)
		advance(time.Hour)
		wantCode(t, h, "/health", 503)
		wantNoAllocs(t, h, http.MethodGet, "/health")
	})
}

func wantNoAllocs(t *testing.T, h http.Handler, method, target string) {
	t.Helper()
	r := newRequest(method, target)
	w := &writer{header: http.Header{}}
	if n := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%s %s: %v allocations", method, target, n)
	}
}
