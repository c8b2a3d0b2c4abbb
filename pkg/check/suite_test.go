package check_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/check"
)

func runAll(t *testing.T, c *check.Client) *check.Report {
	t.Helper()
	report, err := c.All(t.Context(), check.Suite{MaxAge: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestAllPasses(t *testing.T) {
	t.Parallel()
	report := runAll(t, serve(t, well()))
	if !report.Success || report.Passed != len(well()) || report.Failed+report.Degraded > 0 {
		t.Errorf("%+v", report)
	}
	for _, c := range report.Checks {
		if c.TimeMS <= 0 || c.Code == 0 {
			t.Errorf("%+v", c)
		}
	}
}

// Each answer that breaks the contract fails its own check, and no other's.
func TestAllJudges(t *testing.T) {
	t.Parallel()
	edit := func(body, from, to string) string {
		if !strings.Contains(body, from) {
			t.Fatalf("%q is not in %s", from, body)
		}
		return strings.ReplaceAll(body, from, to)
	}
	old := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	early := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, test := range map[string]struct {
		path  string
		reply reply
		want  string
	}{
		"a key is missing":         {"/health", asJSON(200, edit(healthy, `"check_duration_ms":2`, `"x":2`)), "want success, status, services"},
		"keys in another order":    {"/health/live", asJSON(200, `{"timestamp":"NOW","status":"alive"}`), "in this order"},
		"a key twice":              {"/health/live", asJSON(200, `{"status":"alive","status":"alive","timestamp":"NOW"}`), "is there twice"},
		"no status that we know":   {"/health/redis", asJSON(200, edit(database, `"healthy"`, `"fine"`)), `status is "fine"`},
		"success with a 503":       {"/health/redis", asJSON(503, database), "success is true with code 503"},
		"503 for a good status":    {"/health/database", asJSON(503, edit(database, "true", "false")), "the code is 503 with the status healthy"},
		"200 for a bad status":     {"/health/redis", asJSON(200, edit(database, "healthy", "unhealthy")), "the code is 200 with the status unhealthy"},
		"an old answer":            {"/health/redis", asJSON(200, edit(database, `"timestamp":"NOW"`, `"timestamp":"`+old+`"`)), "the timestamp is 1h0m"},
		"an answer from tomorrow":  {"/health/redis", asJSON(200, edit(database, `"timestamp":"NOW"`, `"timestamp":"`+early+`"`)), "ahead of the answer's Date"},
		"a time that is none":      {"/health/live", asJSON(200, `{"status":"alive","timestamp":"noon"}`), "the body: "},
		"healthy with a reason":    {"/health/redis", asJSON(200, edit(database, `"latency_ms"`, `"reason":"slow","latency_ms"`)), "healthy with the reason slow"},
		"a reason that is none":    {"/health/redis", asJSON(200, `{"success":true,"status":"healthy","details":{"reason":"mood"},"timestamp":"NOW"}`), "healthy with the reason mood"},
		"a latency that is none":   {"/health/redis", asJSON(200, edit(database, "1.5", `"fast"`)), "latency_ms is no time"},
		"a scope that is none":     {"/health/redis", asJSON(200, edit(database, `"latency_ms"`, `"fault_scope":"mine","peers_asked":3,"peers_failing":1,"peers_sound":1,"latency_ms"`)), `fault_scope is "mine"`},
		"a count that is none":     {"/health/ready", asJSON(200, `{"status":"ready","database":"healthy","timestamp":"NOW","details":{"database":{"fault_scope":"shared","peers_asked":-1,"peers_failing":0,"peers_sound":0}}}`), "peers_asked is no count"},
		"a scope without counts":   {"/health/ready", asJSON(200, `{"status":"ready","database":"healthy","timestamp":"NOW","details":{"database":{"fault_scope":"shared"}}}`), "peers_asked is no count"},
		"a count without another":  {"/health/ready", asJSON(200, `{"status":"ready","database":"healthy","timestamp":"NOW","details":{"database":{"fault_scope":"local","peers_asked":12}}}`), "peers_failing is no count"},
		"details of another":       {"/health", asJSON(200, edit(healthy, `"redis":{`, `"ollama":{`)), "details has database, ollama, and services has database, redis"},
		"all is not well":          {"/health", asJSON(200, edit(healthy, `"status":"healthy"`, `"status":"degraded"`)), "status is degraded, and not healthy are 0 services"},
		"no services":              {"/health", asJSON(200, `{"success":true,"status":"healthy","services":{},"details":{},"timestamp":"NOW","check_duration_ms":2}`), "there are no services"},
		"services that disagree":   {"/health/redis", asJSON(503, edit(edit(database, "healthy", "unhealthy"), "true", "false")), "/health says that it is healthy"},
		"readiness that disagrees": {"/health/ready", asJSON(200, `{"status":"ready","database":"degraded","timestamp":"NOW"}`), "it says that database is degraded"},
		"not ready with 200":       {"/health/ready", asJSON(200, `{"status":"not_ready","database":"healthy","timestamp":"NOW"}`), "the code is 200 with the status not_ready"},
		"a text of another type":   {"/health?verbose", asJSON(200, healthy), "want text/plain"},
		"a text with no end":       {"/health?verbose", asText(200, "[+]database ok\n[+]redis ok\n"), `the last line is "[+]redis ok"`},
		"a text that lacks one":    {"/health?verbose", asText(200, "[+]database ok\nhealth check passed\n"), "there is no line on redis"},
		"a text with more":         {"/health/live?verbose", asText(200, "hello\nlive check passed\n"), `line 1 is "hello"`},
		"200 for an unknown path":  {"/health/no-such-service", asJSON(200, notFound), "want 404"},
		"paths that lack one":      {"/health/no-such-service", asJSON(404, edit(notFound, `"/health/database",`, "")), "/health/database is not among the paths"},
		"a history of others":      {"/health/history", asJSON(200, edit(past, `"redis"`, `"ollama"`)), "services has database, ollama"},
		"a history that fails":     {"/health/history", asJSON(500, past), "want 200"},
		"a page that fails":        {"/", reply{500, "text/html", "<html>"}, "want 200"},
		"nested without end":       {"/health/redis", asJSON(200, `{"details":`+strings.Repeat(`{"a":`, 9000)+"1"+strings.Repeat("}", 9001)), "nested beyond 8 levels"},
		"an answer without end":    {"/health/redis", asJSON(200, database+strings.Repeat(" ", 4<<20)), "above 4 MiB"},
		"a status without end":     {"/health/redis", asJSON(200, edit(database, "healthy", strings.Repeat("x", 1000))), `status is "` + strings.Repeat("x", 200) + `…"`},
		"paths without end":        {"/health/no-such-service", asJSON(404, edit(notFound, `"/",`, strings.Repeat(`"/",`, 1000))), "it lists 1005 paths"},
		"text without end":         {"/health?verbose", asText(200, strings.Repeat("[+]database ok\n", 1000)+"[+]redis ok\nhealth check passed\n"), "there are 1002 lines"},
		"a page of a proxy":        {"/health/redis", reply{502, "text/html", "<html>"}, "got an HTML page (502 Bad Gateway)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := runAll(t, serve(t, with(map[string]reply{test.path: test.reply})))
			if report.Success || report.Failed == 0 {
				t.Fatalf("it passes: %+v", report)
			}
			for _, c := range report.Checks {
				if c.Verdict == check.Fail != (c.Path == test.path) && test.path != "/health" {
					t.Errorf("%+v", c)
				}
				if c.Path == test.path && !strings.Contains(strings.Join(c.Problems, "\n"), test.want) {
					t.Errorf("want %q in %q", test.want, c.Problems)
				}
			}
		})
	}
}

// What is wrong with /health itself, so that nothing can be judged, is told.
func TestAllTellsWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"status":"healthy","services":` + keys(1001) + `}`: "there are more than 1000 keys: that is no reims-health",
		`{"status":"healthy","timestamp":"noon"}`:            "cannot be read: the body: ",
		`{"detail":"Not Found"}`:                             "JSON without a status (200)",
	} {
		_, err := serve(t, with(map[string]reply{"/health": asJSON(200, body)})).All(t.Context(), check.Suite{MaxAge: time.Minute})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A verdict that changes between two requests is no disagreement.
func TestAllLooksAgain(t *testing.T) {
	t.Parallel()
	sick := strings.NewReplacer(`"redis":"healthy"`, `"redis":"degraded"`, `"status":"healthy"`, `"status":"degraded"`,
		`"latency_ms":0.5`, `"reason":"slow"`).Replace(healthy)
	slow := `{"success":true,"status":"degraded","details":{"reason":"slow","checked_at":"NOW","since":"NOW"},"timestamp":"NOW"}`
	var asked atomic.Int64
	replies := with(map[string]reply{"/health/redis": asJSON(200, slow)})
	report := runAll(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		answer := replies[r.URL.RequestURI()]
		if r.URL.RequestURI() == "/health" && asked.Add(1) > 1 {
			answer = asJSON(200, sick)
		}
		answer.write(w)
	}))
	if !report.Success || report.Degraded != 1 || asked.Load() != 2 {
		t.Errorf("asked %d times: %+v", asked.Load(), report)
	}
}

// What a cache has kept is as old as that, whatever its Date says.
func TestAllMindsCaches(t *testing.T) {
	t.Parallel()
	replies := well()
	report := runAll(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Age", "3600")
		replies[r.URL.RequestURI()].write(w)
	}))
	if c := report.Checks[0]; c.Verdict != check.Fail || !strings.Contains(c.Problems[0], "old: the sidecar hangs, or a cache answers") {
		t.Errorf("%+v", c)
	}
}

// Another clock than ours is no fault.
func TestAllGoesByTheirClock(t *testing.T) {
	t.Parallel()
	const then = "2001-02-03T04:05:06Z"
	replies := well()
	report := runAll(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Sat, 03 Feb 2001 04:05:30 GMT")
		answer := replies[r.URL.RequestURI()]
		answer.body = strings.ReplaceAll(answer.body, "NOW", then)
		answer.write(w)
	}))
	if !report.Success {
		t.Errorf("%+v", report)
	}
}

func TestAllOf503(t *testing.T) {
	t.Parallel()
	down := strings.NewReplacer("true", "false", `"status":"healthy"`, `"status":"unhealthy"`,
		`"database":"healthy"`, `"database":"unhealthy"`, `"latency_ms":1.5`, `"reason":"refused"`).Replace(healthy)
	report := runAll(t, serve(t, with(map[string]reply{
		"/health":          asJSON(503, down),
		"/health/database": asJSON(503, `{"success":false,"status":"unhealthy","details":{"reason":"refused","message":"no \u001b[31mred"},"timestamp":"NOW"}`),
		"/health/ready":    asJSON(503, `{"status":"not_ready","database":"unhealthy","timestamp":"NOW","details":{"database":{"reason":"refused"}}}`),
	})))
	want := map[string]string{
		"/health": "unhealthy; database unhealthy refused", "/health/database": "unhealthy: refused: no ?[31mred",
		"/health/ready": "not ready; database refused",
	}
	got := map[string]string{}
	for _, c := range report.Checks {
		if c.Verdict == check.Fail {
			got[c.Path] = c.Note
			if len(c.Problems) > 0 {
				t.Errorf("the answer itself is in order: %q", c.Problems)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A Pod that is held passes where it says ready, and says whose the fault is.
func TestAllOfAHeldPod(t *testing.T) {
	t.Parallel()
	const scope = `"fault_scope":"shared","peers_asked":12,"peers_failing":11,"peers_sound":1`
	down := strings.NewReplacer("true", "false", `"status":"healthy"`, `"status":"unhealthy"`,
		`"database":"healthy"`, `"database":"unhealthy"`, `"latency_ms":1.5`, `"reason":"refused",`+scope).Replace(healthy)
	report := runAll(t, serve(t, with(map[string]reply{
		"/health":               asJSON(503, down),
		"/health/database":      asJSON(503, `{"success":false,"status":"unhealthy","details":{"reason":"refused",`+scope+`},"timestamp":"NOW"}`),
		"/health/ready":         asJSON(200, `{"status":"ready","database":"unhealthy","timestamp":"NOW","details":{"database":{"reason":"refused","held":true,`+scope+`}}}`),
		"/health/ready?verbose": asText(200, "[+]database ok: held: refused: shared: 11 of 12 peers see it too\n[+]redis excluded: ok\nready check passed\n"),
	})))
	want := map[string]check.Check{
		"/health/database":      {Verdict: check.Fail, Note: "unhealthy: refused: shared (11 of 12 peers see it too)"},
		"/health/ready":         {Verdict: check.Pass, Note: "ready; database refused, shared (11 of 12 peers see it too): held"},
		"/health/ready?verbose": {Verdict: check.Pass, Note: "3 lines, passed"},
	}
	for _, c := range report.Checks {
		if w, asked := want[c.Path]; asked && (c.Verdict != w.Verdict || c.Note != w.Note || len(c.Problems) > 0) {
			t.Errorf("%s: %s %q %q, want %s %q", c.Path, c.Verdict, c.Note, c.Problems, w.Verdict, w.Note)
		}
		delete(want, c.Path)
	}
	if len(want) > 0 {
		t.Errorf("not asked for: %v", want)
	}
}

// A stale result is the sidecar's own fault, and says so without counts of peers.
func TestAllOfAStalePod(t *testing.T) {
	t.Parallel()
	const details = `"reason":"stale","fault_scope":"local"`
	down := strings.NewReplacer("true", "false", `"status":"healthy"`, `"status":"unhealthy"`,
		`"database":"healthy"`, `"database":"unhealthy"`, `"latency_ms":1.5`, details).Replace(healthy)
	report := runAll(t, serve(t, with(map[string]reply{
		"/health":          asJSON(503, down),
		"/health/database": asJSON(503, `{"success":false,"status":"unhealthy","details":{`+details+`},"timestamp":"NOW"}`),
		"/health/ready":    asJSON(503, `{"status":"not_ready","database":"unhealthy","timestamp":"NOW","details":{"database":{`+details+`,"held":false}}}`),
	})))
	want := map[string]string{
		"/health/database": "unhealthy: stale: local",
		"/health/ready":    "not ready; database stale, local",
	}
	for _, c := range report.Checks {
		if note, asked := want[c.Path]; asked && (c.Verdict != check.Fail || c.Note != note || len(c.Problems) > 0) {
			t.Errorf("%s: %s %q %q, want %q", c.Path, c.Verdict, c.Note, c.Problems, note)
		}
		delete(want, c.Path)
	}
	if len(want) > 0 {
		t.Errorf("not asked for: %v", want)
	}
}
