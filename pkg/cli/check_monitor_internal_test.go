package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
)

// turning is a sidecar's handler whose database goes down before its nth request.
type turning struct {
	mu    sync.Mutex
	left  int // requests until then
	down  func()
	inner http.Handler
}

func (h *turning) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left--; h.left == 0 {
		h.down()
	}
	h.inner.ServeHTTP(w, r)
}

// turnAt returns the address of a sidecar whose database is healthy until then.
func turnAt(t *testing.T, request int) string {
	t.Helper()
	svc := &health.Service{
		Name: "database", Kind: registry.Kinds().Called("postgres"), Timeout: time.Second, Interval: time.Hour,
		FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.PolicyStrict,
	}
	began := time.Now().Add(-time.Minute)
	told, r := history.New([]*health.Service{svc}), health.NewResult(svc, began)
	told.Observe(health.NewView(began, []health.Result{r}, health.NoOverride, false))
	next := func(at time.Time, fault *health.Fault) *health.View {
		r = r.Next(health.Outcome{Started: at, Finished: at, Fault: fault})
		return health.NewView(at, []health.Result{r}, health.NoOverride, false)
	}
	source := staticSource{next(began.Add(time.Second), nil)}
	handler := server.NewHandler(source, server.Options{Details: server.Full, History: told})
	s := httptest.NewServer(&turning{left: request, inner: handler, down: func() {
		handler.Publish(next(time.Now(), &health.Fault{Reason: health.ReasonRefused}))
	}})
	t.Cleanup(s.Close)
	return s.URL
}

// A monitor tells each change once, whichever of its requests the change comes before: in the
// history, or as one that a look saw.
func TestMonitorTellsEachChangeOnce(t *testing.T) {
	t.Parallel()
	const looks, requests = 3, 8 // the first look and the history have four, each other look has three
	for request := 1; request <= requests; request++ {
		args := []string{"check", "monitor", "--interval", "100ms", "--count", strconv.Itoa(looks)}
		code, out, errs := execute(t, nil, append(args, "-o", "json", "--url", turnAt(t, request))...)
		if code != exitFailed || !strings.Contains(errs, "looks failed") {
			t.Errorf("request %d: exit code %d: %s", request, code, errs)
		}
		told, answers := make(map[string]int), json.NewDecoder(strings.NewReader(out))
		var began time.Time
		for answers.More() {
			var look struct{ Changes []check.Change }
			if err := answers.Decode(&look); err != nil {
				t.Fatal(err)
			}
			for _, c := range look.Changes {
				told[fmt.Sprintf("%s %s %s %s", c.What, c.From, c.To, c.Reason)]++
				if c.From == "unknown" {
					began = c.At
				}
			}
		}
		for _, change := range []string{"database unknown healthy ", "database healthy unhealthy refused"} {
			if told[change] != 1 {
				t.Errorf("request %d: %q is told %d times:\n%s", request, change, told[change], out)
			}
		}
		if down := told["readiness ready not_ready "] + told["readiness ready not_ready refused"]; down != 1 {
			t.Errorf("request %d: that the Pod is not ready is told %d times:\n%s", request, down, out)
		}
		if age := time.Since(began); age < 50*time.Second || age > 10*time.Minute {
			t.Errorf("request %d: the past is dated %s", request, began)
		}

		_, out, _ = execute(t, nil, append(args, "--url", turnAt(t, request))...)
		for _, change := range []string{"  database: unknown -> healthy\n", "  database: healthy -> unhealthy: refused", "  readiness: ready -> not ready"} {
			if n := strings.Count(out, change); n != 1 {
				t.Errorf("request %d: %q is told %d times:\n%s", request, change, n, out)
			}
		}
		if !strings.Contains(out[:strings.Index(out+"ready: database", "ready: database")], "database: unknown -> healthy") {
			t.Errorf("request %d: it does not begin with the past:\n%s", request, out)
		}
	}
}
