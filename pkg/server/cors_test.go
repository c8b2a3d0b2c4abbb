package server_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

const (
	dashboard = "https://dashboard.example"
	stranger  = "https://dashboard.example.evil.example"
)

func TestAllowOrigins(t *testing.T) {
	t.Parallel()
	listed, all := []string{"https://other.example", dashboard}, []string{"*"}
	for name, test := range map[string]struct {
		allowed []string
		method  string
		origin  string
		code    int
		want    string // Access-Control-Allow-Origin
	}{
		"off":             {nil, "GET", dashboard, 200, ""},
		"listed":          {listed, "GET", dashboard, 200, dashboard},
		"listed, HEAD":    {listed, "HEAD", dashboard, 200, dashboard},
		"not listed":      {listed, "GET", stranger, 200, ""},
		"sandboxed":       {listed, "GET", "null", 200, ""},
		"no origin":       {listed, "GET", "", 200, ""},
		"any":             {all, "GET", stranger, 200, "*"},
		"405":             {listed, "POST", dashboard, 405, dashboard},
		"405, not listed": {listed, "POST", stranger, 405, ""},
		"405, off":        {nil, "OPTIONS", dashboard, 405, ""},
		"not a preflight": {listed, "OPTIONS", dashboard, 405, dashboard},
	} {
		h := server.AllowOrigins(test.allowed, scenario.NewHandler(scenario.AllWell().View(0), server.Full))
		w := scenario.Request(h, test.method, "/health", "Origin", test.origin)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != test.code || got != test.want {
			t.Errorf("%s: %d for origin %q, want %d for %q", name, w.Code, got, test.code, test.want)
		}
		// A cache must not hand one origin's answer to another; off, nothing is added.
		if got := w.Header().Get("Vary") == "Origin"; got != (test.allowed != nil) {
			t.Errorf("%s: Vary %q", name, w.Header().Get("Vary"))
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: allows cookies", name)
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	h := server.AllowOrigins([]string{dashboard}, scenario.NewHandler(scenario.AllWell().View(0), server.Safe))
	const vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	refused := http.Header{"Vary": {vary}}
	for name, test := range map[string]struct {
		origin, method, header string
		want                   http.Header
	}{
		"with the token": {dashboard, "GET", "authorization", http.Header{
			"Vary":                         {vary},
			"Access-Control-Allow-Origin":  {dashboard},
			"Access-Control-Allow-Methods": {"GET"},
			"Access-Control-Allow-Headers": {"authorization"},
			"Access-Control-Max-Age":       {"600"},
		}},
		"not listed":     {stranger, "GET", "authorization", refused},
		"another method": {dashboard, "DELETE", "authorization", refused},
		"another header": {dashboard, "GET", "x-other", refused},
	} {
		w := scenario.Request(h, http.MethodOptions, "/health", "Origin", test.origin,
			"Access-Control-Request-Method", test.method, "Access-Control-Request-Headers", test.header)
		if diff := cmp.Diff(test.want, w.Header()); diff != "" || w.Code != http.StatusNoContent {
			t.Errorf("%s: %d, headers (-want +got):\n%s", name, w.Code, diff)
		}
	}
}
