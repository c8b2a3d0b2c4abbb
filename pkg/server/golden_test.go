package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

var update = flag.Bool("update", false, "rewrite the golden files")

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

// TestGolden holds every answer against testdata, to be rewritten with -update.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range scenario.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				_, handlers := s.Handlers()
				for _, target := range targets {
					writeGolden(t, &got, target, handlers)
				}
			})
			scenario.Golden(t, filepath.Join("testdata", name+".golden"), got.Bytes(), *update)
		})
	}
}

// writeGolden writes each different answer once, headed by those who are given it.
func writeGolden(t *testing.T, b *bytes.Buffer, target string, handlers map[scenario.Reader]http.Handler) {
	t.Helper()
	var order []string
	readers := map[string][]string{}
	for _, v := range scenario.Readers() {
		w := v.Get(handlers[v], target)
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

// TestCountsBelongToTheScope holds the counts of peers against the scope that rests on them:
// a stale result is this sidecar's own fault, whatever the peers told before.
func TestCountsBelongToTheScope(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"held":               `"fault_scope":"shared","peers_asked":12,"peers_failing":11,"peers_sound":1`,
		"local":              `"fault_scope":"local","peers_asked":12,"peers_failing":0,"peers_sound":12`,
		"undecided":          `"fault_scope":"undecided"`,
		"stale_after_shared": `"fault_scope":"local"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := scenario.All()[name].Handler(server.Full)
				for _, target := range []string{"/health", "/health/database", "/health/ready"} {
					body := scenario.Get(h, target).Body.String()
					if !strings.Contains(body, want) || strings.Count(body, "peers_") != strings.Count(want, "peers_") {
						t.Errorf("%s: want %s and no other counts in %s", target, want, body)
					}
				}
			})
		})
	}
}

// TestWithholding looks in every answer for every name, version and message that the
// view holds: full answers show them all, public ones none. No answer shows the
// driver's text.
func TestWithholding(t *testing.T) {
	t.Parallel()
	for name, s := range scenario.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now, handlers := s.Handlers()
				names := identifying(now)
				for v, h := range handlers {
					for _, target := range targets {
						body := v.Get(h, target).Body.String()
						if strings.Contains(body, "canary") {
							t.Errorf("%s as %s shows the driver's text: %s", target, v, body)
						}
						if v.Public() || target == "/health" {
							shows(t, target, v, body, names, !v.Public())
						}
					}
				}
			})
		})
	}
}

func shows(t *testing.T, target string, v scenario.Reader, body string, names []string, want bool) {
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
		for _, m := range r.Last.Observation.Values {
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

// TestPublishedInTurn shows that a handler that has rendered other views before answers each
// reader as one that has not: no part of an answer outlives what it was made of.
func TestPublishedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		v := scenario.Many(6)
		results := slices.Clone(v.Results())
		for i, r := range results {
			service := *r.Service
			service.SuccessThreshold = 1 + i%3
			if i%2 == 0 {
				service.SharedFault = health.SharedFaultHold
			}
			results[i].Service = &service
		}
		kept := map[scenario.Reader]*server.Handler{}
		for _, r := range scenario.Readers() {
			kept[r] = scenario.NewHandler(v, r.Details)
		}
		override, draining := health.NoOverride, false
		for range 300 {
			time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
			now := time.Now()
			i := random.IntN(len(results))
			switch random.IntN(8) {
			case 0: // nothing came in, and results grow old
			case 1:
				results[i].Finding = health.Finding{Scope: health.ScopeShared, Asked: 3, Failing: random.IntN(3), Since: results[i].FailingSince(), At: now}
			case 2:
				override, draining = []health.Override{health.NoOverride, health.OverrideReady, health.OverrideNotReady}[random.IntN(3)], random.IntN(2) == 0
			default:
				faults := []*health.Fault{nil, nil, scenario.Fault(health.ReasonTimeout), scenario.Fault(health.ReasonRefused), {Reason: health.ReasonSlow, Message: strconv.Itoa(random.IntN(3))}}
				results[i] = results[i].Next(scenario.Outcome(results[i].Service.Kind.Service, now, faults[random.IntN(len(faults))]))
			}
			v := health.NewView(now, slices.Clone(results), override, draining)
			for _, r := range scenario.Readers() {
				kept[r].Publish(v)
				fresh := scenario.NewHandler(v, r.Details)
				for _, target := range targetsOf(v) {
					if got, want := r.Get(kept[r], target), r.Get(fresh, target); got.Code != want.Code || got.Body.String() != want.Body.String() {
						t.Fatalf("%s to %s:\n%d %s\nbut rendered for the first time:\n%d %s", target, r, got.Code, got.Body, want.Code, want.Body)
					}
				}
			}
		}
	})
}

func targetsOf(v *health.View) []string {
	targets := []string{"/health", "/health/ready", "/health/live"}
	for _, r := range v.Results() {
		targets = append(targets, "/health/"+r.Service.Name)
	}
	for _, target := range slices.Clone(targets) {
		targets = append(targets, target+"?verbose")
	}
	return targets
}

// TestTextIsTheSameForAll shows that text tells a reader with the token nothing more, nor with
// HEALTH_DETAILS=full.
func TestTextIsTheSameForAll(t *testing.T) {
	t.Parallel()
	for name, s := range scenario.All() {
		v, handlers := s.Handlers()
		for _, target := range targetsOf(v) {
			if !strings.HasSuffix(target, "?verbose") {
				continue
			}
			want := scenario.Reader{Details: server.Full}.Get(handlers[scenario.Reader{Details: server.Full}], target).Body.String()
			for r, h := range handlers {
				if got := r.Get(h, target).Body.String(); r.Details != server.Off && got != want {
					t.Errorf("%s: %s to %s:\n%s\nwant:\n%s", name, target, r, got, want)
				}
			}
		}
	}
}
