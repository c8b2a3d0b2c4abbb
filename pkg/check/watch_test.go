package check_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/check"
)

func look(status, ready string, services ...check.LookService) *check.Look {
	l := &check.Look{At: time.Unix(1, 0), Status: status, Ready: ready, Services: services, Failed: status != "healthy"}
	if status == check.NoAnswer {
		l.Problems = []string{"connection refused"}
	}
	return l
}

// What changed is told against what was last known, and told once.
func TestWatch(t *testing.T) {
	t.Parallel()
	up := check.LookService{Name: "database", Status: "healthy", LatencyMS: 1.5}
	down := check.LookService{Name: "database", Status: "unhealthy", Reason: "refused", Message: "nothing listens"}
	frozen := check.LookService{Name: "database", Status: "unhealthy", Reason: "timeout", Message: "no answer"}
	shared := frozen
	shared.Scope = "shared"
	at := time.Unix(1, 0)
	wrong := look("healthy", "ready", up)
	wrong.Problems = []string{"the timestamp is 1h0m0s old"}
	var w check.Watch
	for i, step := range []struct {
		look *check.Look
		want []check.Change
	}{
		{look("healthy", "ready", up), []check.Change{
			{at, "database", "", "healthy", "", "", ""}, {at, check.Readiness, "", "ready", "", "", ""}, {at, check.Overall, "", "healthy", "", "", ""},
		}},
		{look("healthy", "ready", up), nil},
		{look("unhealthy", "not_ready", down), []check.Change{
			{at, "database", "healthy", "unhealthy", "refused", "nothing listens", ""},
			{at, check.Readiness, "ready", "not_ready", "", "", ""},
			{at, check.Overall, "healthy", "unhealthy", "", "", ""},
		}},
		{look("unhealthy", "not_ready", frozen), []check.Change{{at, "database", "unhealthy", "unhealthy", "timeout", "no answer", ""}}},
		{look("unhealthy", "ready", shared), []check.Change{
			{at, "database", "unhealthy", "unhealthy", "timeout", "no answer", "shared"},
			{at, check.Readiness, "not_ready", "ready", "", "", ""},
		}},
		{look("unhealthy", "not_ready", frozen), []check.Change{
			{at, "database", "unhealthy", "unhealthy", "timeout", "no answer", ""},
			{at, check.Readiness, "ready", "not_ready", "", "", ""},
		}},
		{look(check.NoAnswer, ""), []check.Change{{at, check.Overall, "unhealthy", check.NoAnswer, "", "connection refused", ""}}},
		{look(check.NoAnswer, ""), nil},
		{look("healthy", "ready", up), []check.Change{
			{at, "database", "unhealthy", "healthy", "", "", ""},
			{at, check.Readiness, "not_ready", "ready", "", "", ""},
			{at, check.Overall, check.NoAnswer, "healthy", "", "", ""},
		}},
		{wrong, []check.Change{{at, check.Form, "in order", "wrong", "", "the timestamp is 1h0m0s old", ""}}},
		{wrong, nil},
		{look("healthy", "ready", up), []check.Change{{at, check.Form, "wrong", "in order", "", "", ""}}},
	} {
		if diff := cmp.Diff(step.want, w.See(step.look)); diff != "" {
			t.Errorf("look %d: %s", i+1, diff)
		}
	}
	if diff := cmp.Diff([]float64{1.5, 1.5, 0, 0, 0, 0, 0, 0, 1.5, 1.5, 1.5, 1.5}, w.Trend("database")); diff != "" {
		t.Error(diff)
	}
	if w.Rounds != 12 || w.Failed != 6 {
		t.Errorf("%d looks, %d failed", w.Rounds, w.Failed)
	}
}

func TestWatchIsBounded(t *testing.T) {
	t.Parallel()
	var w check.Watch
	for range 1000 {
		w.See(look("healthy", "ready", check.LookService{Name: "redis", Status: "healthy", LatencyMS: 1}))
	}
	if n := len(w.Trend("redis")); n != 240 {
		t.Errorf("%d latencies are kept", n)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	l := serve(t, with(map[string]reply{
		"/health/ready": asJSON(503, `{"status":"not_ready","database":"healthy","timestamp":"NOW"}`),
	})).Look(t.Context(), time.Minute)
	if l.Status != "healthy" || l.Ready != "not_ready" || !l.Failed || len(l.Problems) > 0 || l.TimeMS <= 0 {
		t.Errorf("%+v", l)
	}
	if s := l.Services[0]; s.Name != "database" || s.LatencyMS != 1.5 || time.Since(s.Since) > time.Minute {
		t.Errorf("%+v", s)
	}
	l = serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }).Look(t.Context(), time.Minute)
	if l.Status != check.NoAnswer || !l.Failed || len(l.Problems) != 1 || l.Services == nil {
		t.Errorf("%+v", l)
	}
}

// A look fails whatever way /health/ready is missing or wrong, and says how.
func TestLookJudgesReadiness(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"missing":        {reply{}.answer, "want ready or not_ready"},
		"a page":         {reply{200, "text/html", "<html>"}.answer, "/health/ready: got an HTML page (200 OK)"},
		"no JSON":        {asJSON(200, "ready").answer, "/health/ready: the body is no JSON object"},
		"200, not ready": {asJSON(200, `{"status":"not_ready","database":"healthy","timestamp":"NOW"}`).answer, "the code is 200 with the status not_ready: want 503"},
		"it disagrees":   {asJSON(200, `{"status":"ready","database":"unhealthy","timestamp":"NOW"}`).answer, "it says that database is unhealthy"},
		"it hangs":       {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within"},
		"it is closed":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "closed without an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			replies := well()
			client := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health/ready" {
					test.answer(w, r)
					return
				}
				replies[r.URL.RequestURI()].write(w)
			}, func(o *check.Options) {
				if name == "it hangs" {
					o.Timeout = 300 * time.Millisecond
				}
			})
			l := client.Look(t.Context(), time.Minute)
			if l.Status != "healthy" || !l.Failed || !strings.Contains(strings.Join(l.Problems, "\n"), test.want) {
				t.Errorf("want %q in %+v", test.want, l)
			}
		})
	}
}

// A service that /health no longer lists has changed, once.
func TestWatchMissesAService(t *testing.T) {
	t.Parallel()
	up := check.LookService{Name: "redis", Status: "healthy"}
	var w check.Watch
	w.See(look("healthy", "ready", up))
	want := []check.Change{{At: time.Unix(1, 0), What: "redis", From: "healthy", To: check.Gone}}
	if diff := cmp.Diff(want, w.See(look("healthy", "ready"))); diff != "" {
		t.Error(diff)
	}
	if changes := w.See(look("healthy", "ready")); len(changes) > 0 {
		t.Errorf("told again: %+v", changes)
	}
}
