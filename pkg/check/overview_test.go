package check_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/check"
)

const (
	unhealthy = `{"success":false,"status":"unhealthy","services":{"database":"unhealthy","redis":"degraded"},
		"details":{"database":{"checked_at":"NOW","since":"NOW","reason":"refused","message":"nothing listens","consecutive_failures":3,"last_success":null,
		"next_step":"Start it.","docs":"https://docs.example/troubleshooting.md#refused"},
		"redis":{"latency_ms":0.5,"checked_at":"NOW","since":"NOW","reason":"slow"}},"timestamp":"NOW","check_duration_ms":2}`
	blocked = "[-]database failed: refused\n[+]redis excluded: ok\nready check failed\n"
)

func overview(t *testing.T, replies map[string]reply, options ...func(*check.Options)) *check.Overview {
	t.Helper()
	all := with(replies)
	o, err := serveFunc(t, func(w http.ResponseWriter, r *http.Request) { all[r.URL.RequestURI()].write(w) }, options...).Overview(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The verdict says what decides it, and success is what it says.
func TestOverview(t *testing.T) {
	t.Parallel()
	notReady := asJSON(503, `{"status":"not_ready","database":"healthy","timestamp":"NOW","details":{"override":{"reason":"override"}}}`)
	for name, c := range map[string]struct {
		replies map[string]reply
		success bool
		verdict string
	}{
		"well": {nil, true, "2 services are healthy; the Pod is ready"},
		"one service": {map[string]reply{
			"/health":       asJSON(200, `{"success":true,"status":"healthy","services":{"redis":"healthy"},"details":{},"timestamp":"NOW","check_duration_ms":2}`),
			"/health/ready": asJSON(200, `{"status":"ready","timestamp":"NOW"}`),
		}, true, "1 service is healthy; the Pod is ready"},
		"down": {map[string]reply{
			"/health": asJSON(503, unhealthy), "/health/ready?verbose": asText(503, blocked),
			"/health/ready": asJSON(503, `{"status":"not_ready","database":"unhealthy","timestamp":"NOW","details":{"database":{"reason":"refused"}}}`),
		}, false, "database is unhealthy, redis is degraded; the Pod is not ready"},
		"no result yet": {map[string]reply{
			"/health":       asJSON(503, `{"success":false,"status":"unhealthy","services":{"database":"unknown","redis":"healthy"},"details":{},"timestamp":"NOW","check_duration_ms":2}`),
			"/health/ready": asJSON(503, `{"status":"not_ready","database":"unknown","timestamp":"NOW"}`),
		}, false, "database has no result yet; the Pod is not ready"},
		"by hand": {
			map[string]reply{"/health/ready": notReady},
			false,
			"2 services are healthy; the Pod is not ready: override: the break-glass decides; next: Remove the file that HEALTH_OVERRIDE_FILE names to end it.",
		},
		"wrong":            {map[string]reply{"/health/ready": {200, "text/html", "<html>"}}, false, "the answers are not in order; 2 services are healthy"},
		"no policies told": {map[string]reply{"/health/ready?verbose": {404, "text/html", "<html>"}}, true, "2 services are healthy; the Pod is ready"},
	} {
		if o := overview(t, c.replies); o.Success != c.success || !strings.HasPrefix(o.Verdict, c.verdict) {
			t.Errorf("%s: success %t, %q: want %q", name, o.Success, o.Verdict, c.verdict)
		}
	}
}

// What the sidecar tells of a reason is taken as it is, and so is what each service means for
// readiness.
func TestOverviewTellsReasons(t *testing.T) {
	t.Parallel()
	o := overview(t, map[string]reply{"/health": asJSON(503, unhealthy), "/health/ready?verbose": asText(503, blocked)})
	s := o.Services[0]
	got := []string{s.Reason, s.Message, s.NextStep, s.Docs, string(s.Readiness), string(o.Services[1].Readiness), o.Services[1].NextStep + o.Services[1].Docs}
	want := []string{"refused", "nothing listens", "Start it.", "https://docs.example/troubleshooting.md#refused", "not_ready", "ignored", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for line, want := range map[string]check.ReadyState{
		"[+]database ok": check.Fulfilled, "[+]database excluded: ok": check.Ignored, "[-]database failed: refused": check.Blocking,
		"[+]database ok: held: refused: shared": check.Held, "[+]database ok: in grace: refused": check.InGrace,
	} {
		o := overview(t, map[string]reply{"/health/ready?verbose": asText(200, line+"\n[+]redis excluded: ok\nready check passed\n")})
		if got := o.Services[0].Readiness; got != want {
			t.Errorf("%s is %q, want %q", line, got, want)
		}
	}
}

// A token that opens nothing is told, and fails the run.
func TestOverviewJudgesTheToken(t *testing.T) {
	t.Parallel()
	safe := strings.ReplaceAll(healthy, `"version":"PostgreSQL 15.2",`, "")
	o := overview(t, map[string]reply{"/health": asJSON(200, safe)}, func(o *check.Options) { o.Token = "canary" })
	if o.Success || !o.Failed || !strings.HasPrefix(o.Verdict, "the answers are not in order") || !strings.Contains(strings.Join(o.Problems, ""), "not HEALTH_TOKEN") {
		t.Errorf("%+v", o)
	}
}

// A monitor begins with what the sidecar remembers, and takes a probe that it sees again for the
// same.
func TestWatchBegins(t *testing.T) {
	t.Parallel()
	const stamp, lately = "2026-01-01T00:00:11.000Z", "2026-01-01T00:00:12.000Z"
	ready := strings.ReplaceAll(`{"status":"ready","database":"healthy","timestamp":"NOW"}`, "NOW", lately)
	client := serve(t, with(map[string]reply{
		"/health": asJSON(200, strings.ReplaceAll(healthy, "NOW", stamp)), "/health/ready": asJSON(200, ready),
		"/health/history": asJSON(200, `{"success":true,"since":"2026-01-01T00:00:00Z","services":{
		"database":{"results":[{"time":"2026-01-01T00:00:01.000Z","status":"healthy","latency_ms":2},
			{"time":"2026-01-01T00:00:06.000Z","status":"unhealthy","reason":"refused"},{"time":"2026-01-01T00:00:11.000Z","status":"healthy","latency_ms":4}],
		"changes":[{"time":"2026-01-01T00:00:06.000Z","from":"healthy","to":"unhealthy","reason":"refused"},
			{"time":"2026-01-01T00:00:11.000Z","from":"unhealthy","to":"healthy"},
			{"time":"2026-01-01T00:00:11.001Z","from":"healthy","to":"unhealthy","reason":"refused"}]},"redis":{"results":[],"changes":[]}},
		"readiness":[{"time":"2026-01-01T00:00:07.000Z","from":"ready","to":"not_ready"},{"time":"2026-01-01T00:00:12.000Z","from":"not_ready","to":"ready"},
			{"time":"2026-01-01T00:00:12.001Z","from":"ready","to":"not_ready"}],"timestamp":"NOW"}`),
	}))
	p := client.Past(t.Context(), client.Look(t.Context(), time.Minute))
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC) }
	want := []check.Change{
		{At: at(6), What: "database", From: "healthy", To: "unhealthy", Reason: "refused"},
		{At: at(7), What: check.Readiness, From: "ready", To: "not_ready"},
		{At: at(11), What: "database", From: "unhealthy", To: "healthy"},
		{At: at(12), What: check.Readiness, From: "not_ready", To: "ready"}, // what comes later is for the next look
	}
	if diff := cmp.Diff(want, p.Changes); diff != "" {
		t.Error(diff)
	}
	var w check.Watch
	w.Begin(p)
	for _, checked := range []int{11, 11, 16, 16, 21} {
		w.See(look("healthy", "ready", check.LookService{Name: "database", Status: "healthy", LatencyMS: float64(checked), Checked: at(checked)}))
	}
	if diff := cmp.Diff([]float64{2, 0, 4, 16, 21}, w.Trend("database")); diff != "" {
		t.Error(diff)
	}
	if p := serve(t, with(map[string]reply{"/health/history": {}})).Past(t.Context(), look("healthy", "ready")); p != nil {
		t.Errorf("%+v", p)
	}
	w = check.Watch{}
	w.Begin(nil)
	w.See(look("healthy", "ready", check.LookService{Name: "redis", Status: "healthy", LatencyMS: 1}))
	if diff := cmp.Diff([]float64{1}, w.Trend("redis")); diff != "" {
		t.Error(diff)
	}
}

// The facts of a service have the words of the status page.
func TestFacts(t *testing.T) {
	t.Parallel()
	details := `{"latency_ms":1234.5,"pool_size":2,"pool_free":1,"pool_active":1,"database":"reims","version":"PostgreSQL 15.2",
		"connections_used":7,"connections_max":100,"app_connections_active":3,"app_connections_idle":0,"app_connections_idle_in_transaction":1,"app_connections_other":0,
		"checked_at":"NOW","since":"NOW","reason":"slow","message":"late","consecutive_failures":2,"last_success":"NOW","next_step":"Look.","docs":"x"}`
	redis := `{"latency_ms":0.5,"memory_usage":"1.05M","memory_max":"0B","certificate_not_after":"2020-01-01T00:00:00Z","checked_at":"NOW","since":"NOW"}`
	o := overview(t, map[string]reply{
		"/health": asJSON(200, `{"success":true,"status":"degraded","services":{"database":"degraded","sessions":"healthy"},"details":{"database":`+details+`,"sessions":`+redis+`},"timestamp":"NOW","check_duration_ms":2}`),
	})
	label := func(f check.Fact) bool {
		return strings.Contains(f.Value, " ago") && f.Label != "Certificate valid until"
	}
	var got [][]string
	for _, s := range o.Services {
		var facts []string
		for _, f := range s.Facts {
			if label(f) {
				f.Value = "AGO"
			}
			facts = append(facts, f.Label+": "+f.Value)
		}
		got = append(got, facts)
	}
	got[1][3] = strings.TrimRight(got[1][3], "0123456789dh ago") // the years since
	want := [][]string{
		{
			"Latency: 1.23 s", "The sidecar’s own pool: 1 of 2 in use", "Database: reims", "Version: PostgreSQL 15.2", "The server’s connections: 7 of 100 in use",
			"The API’s connections: 3 active, 1 idle in transaction", "Last checked: AGO", "Since: AGO", "Last healthy: AGO", "Not healthy: 2 checks in a row",
		},
		{"Latency: 0.50 ms", "Memory in use: 1.05M", "Memory limit: none", "Certificate valid until: 2020-01-01,", "Last checked: AGO", "Since: AGO"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A service that fails is asked once, unless more is asked for.
func TestDetailedStopsAtAFailure(t *testing.T) {
	t.Parallel()
	client := serve(t, with(map[string]reply{
		"/health/database": asJSON(503, `{"success":false,"status":"unhealthy","details":{"reason":"refused","checked_at":"NOW","since":"NOW"},"timestamp":"NOW"}`),
	}))
	done := 0
	d, err := client.Detailed(t.Context(), check.Measure{Count: 20, StopAtFailure: true, MaxAge: time.Minute, Done: func(n int) { done = n }})
	if err != nil || d.Success || d.Services[0].Failed != 1 || d.Services[1].Answers.Count != 20 || done != 21 {
		t.Errorf("%v, %d done: %+v", err, done, d)
	}
}
