package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// scenario is a state of the world, seen at synctest's first moment.
type scenario struct {
	history  history
	grace    time.Duration // of the database
	override health.Override
	draining bool
	idle     time.Duration // of the scheduler
}

var scenarios = map[string]scenario{
	"starting": {},
	"healthy":  {history: allWell()},
	"degraded": {history: history{
		"database": failing(30*time.Second, fault(health.TooManyConnections)),
		"redis":    failing(30*time.Second, fault(health.Refused)),
		"minio": steadily(&health.Fault{
			Reason: health.BucketMissing, Message: "missing: reims-archive", Err: errDriver,
		}),
		"ollama": steadily(nil),
	}},
	"unhealthy": {history: history{
		"database": failing(30*time.Second, fault(health.Timeout)),
		"redis":    steadily(nil),
		"minio":    steadily(fault(health.Auth)),
	}},
	"unproven":           {history: allWell().but("database", steadily(fault(health.SchemaBehind)))},
	"in_grace":           {history: allWell().but("database", failing(20*time.Second, fault(health.Reset))), grace: time.Minute},
	"override_ready":     {history: allWell().but("database", failing(30*time.Second, fault(health.DNS))), override: health.OverrideReady},
	"override_not_ready": {history: allWell(), override: health.OverrideNotReady},
	"draining":           {history: allWell(), draining: true},
	"stale":              {history: allWell().but("database", []step{{20 * time.Second, nil}})},
	"scheduler_stopped":  {history: allWell(), idle: 2 * time.Minute},
}

// view is one reader of a handler with one setting of HEALTH_DETAILS.
type view struct {
	details server.Details
	token   bool
}

var views = []view{
	{server.Full, false},
	{server.Full, true},
	{server.Safe, false},
	{server.Safe, true},
	{server.Off, false},
	{server.Off, true},
}

// public reports whether the reader may see no names.
func (v view) public() bool { return v.details == server.Off || v.details == server.Safe && !v.token }

func (v view) String() string {
	if v.token {
		return string(v.details) + "+token"
	}
	return string(v.details)
}

var targets = []string{
	"/health", "/health?verbose",
	"/health/database", "/health/database?verbose",
	"/health/redis", "/health/redis?verbose",
	"/health/minio", "/health/minio?verbose",
	"/health/ollama", "/health/ollama?verbose",
	"/health/live", "/health/live?verbose",
	"/health/ready", "/health/ready?verbose",
	"/health/nosuch",
}

// handlers returns the scenario as it is now, and what serves it to each view.
func (s scenario) handlers() (*health.View, map[view]http.Handler) {
	now := s.history.view(s.grace)
	now = health.NewView(now.Time(), now.Results(), s.override, s.draining)
	handlers := map[view]http.Handler{}
	for _, v := range views {
		handlers[v] = server.NewHandler(&source{now, s.idle}, server.Options{
			Details: v.details, Token: func() string { return token },
		})
	}
	return now, handlers
}

func (v view) get(h http.Handler, target string) *httptest.ResponseRecorder {
	if v.token {
		return get(h, target, "Authorization", "Bearer "+token)
	}
	return get(h, target)
}

// TestGolden holds every answer against testdata, to be rewritten with -update.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				_, handlers := scenario.handlers()
				for _, target := range targets {
					writeGolden(t, &got, target, handlers)
				}
			})
			compareGolden(t, filepath.Join("testdata", name+".golden"), got.Bytes())
		})
	}
}

// writeGolden writes each different answer once, headed by those who are given it.
func writeGolden(t *testing.T, b *bytes.Buffer, target string, handlers map[view]http.Handler) {
	t.Helper()
	var order []string
	readers := map[string][]string{}
	for _, v := range views {
		w := v.get(handlers[v], target)
		checkAnswer(t, w)
		text := fmt.Sprintf("%d %s\n%s", w.Code, w.Header().Get("Content-Type"), readable(t, w))
		if readers[text] == nil {
			order = append(order, text)
		}
		readers[text] = append(readers[text], v.String())
	}
	for _, text := range order {
		fmt.Fprintf(b, "=== GET %s [%s] %s\n", target, strings.Join(readers[text], " "), text)
	}
}

// readable indents JSON, which keeps the order of its keys.
func readable(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if w.Header().Get("Content-Type") != "application/json" {
		return w.Body.String()
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, w.Body.Bytes(), "", "  "); err != nil {
		t.Errorf("not JSON: %v: %s", err, w.Body)
	}
	return indented.String()
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("answers changed (-want +got); if that is meant, run this test with -update:\n%s", diff)
	}
}

// TestWithholding looks in every answer for every name, version and message that the
// view holds: full answers show them all, public ones none. Nobody is shown the
// driver's text.
func TestWithholding(t *testing.T) {
	t.Parallel()
	for name, scenario := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now, handlers := scenario.handlers()
				names := identifying(now)
				for v, h := range handlers {
					for _, target := range targets {
						body := v.get(h, target).Body.String()
						if strings.Contains(body, "canary") {
							t.Errorf("%s as %s shows the driver's text: %s", target, v, body)
						}
						if v.public() || target == "/health" {
							shows(t, target, v, body, names, !v.public())
						}
					}
				}
			})
		})
	}
}

func shows(t *testing.T, target string, v view, body string, names []string, want bool) {
	t.Helper()
	for _, name := range names {
		if strings.Contains(body, name) != want {
			t.Errorf("%s as %s shows %q: %t, want %t: %s", target, v, name, !want, want, body)
		}
	}
}

// identifying returns what a view holds that only trusted readers may see.
func identifying(v *health.View) []string {
	var names []string
	for _, r := range v.Results() {
		for _, m := range r.Last.Observation.Measures {
			names = append(names, m.List...)
			if m.Text != "" {
				names = append(names, m.Text)
			}
		}
		if r.Message() != "" {
			names = append(names, r.Message())
		}
	}
	return names
}
