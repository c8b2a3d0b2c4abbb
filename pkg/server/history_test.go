package server_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	past "github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// pastBody is an answer of /health/history.
type pastBody struct {
	Success  bool
	Since    time.Time
	Services map[string]struct {
		P50     *float64 `json:"latency_p50_ms"`
		P99     *float64 `json:"latency_p99_ms"`
		Results []pastResult
		Changes []pastChange
	}
	Readiness []pastChange
	Timestamp time.Time
}

type pastResult struct {
	Time      time.Time
	Status    string
	LatencyMs *float64 `json:"latency_ms"`
	Reason    *string
}

type pastChange struct {
	Time             time.Time
	From, To, Reason string
}

func getPast(t *testing.T, h http.Handler, query string) (b pastBody) {
	t.Helper()
	w := scenario.Get(h, "/health/history"+query)
	checkAnswer(t, w)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, w.Code, w.Body)
	}
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := getPast(t, scenario.AnHour().Handler(server.Full), "")
		if !b.Success || !b.Since.Equal(time.Now().Add(-time.Hour)) || len(b.Services) != 4 {
			t.Errorf("success %t, since %s, %d services", b.Success, b.Since, len(b.Services))
		}
		for name, want := range map[string]int{"database": 720, "redis": 720, "minio": 360, "ollama": 180} {
			if got := len(b.Services[name].Results); got != want {
				t.Errorf("%s: %d results, want %d", name, got, want)
			}
		}
		db := b.Services["database"]
		if db.P50 == nil || *db.P50 < 1.2 || db.P99 == nil || *db.P99 <= *db.P50 {
			t.Errorf("p50 %v, p99 %v", db.P50, db.P99)
		}
		ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
		want := []pastChange{
			{ago(time.Hour - time.Second), "unknown", "healthy", ""},
			{ago(20*time.Minute - 6*time.Second), "healthy", "unhealthy", "refused"},
			{ago(17*time.Minute - time.Second), "unhealthy", "healthy", ""},
		}
		if diff := cmp.Diff(want, db.Changes, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if n := len(b.Readiness); n != 3 || b.Readiness[1].To != "not_ready" {
			t.Errorf("readiness: %v", b.Readiness)
		}
		failed := slices.IndexFunc(db.Results, func(r pastResult) bool { return r.Reason != nil })
		if r := db.Results[failed]; *r.Reason != "refused" || r.LatencyMs != nil || r.Status != "healthy" {
			t.Errorf("the first failure: %+v", r)
		}
	})
}

func TestPastSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := scenario.AnHour().Handler(server.Full)
		now := time.Now()
		for query, want := range map[string]time.Duration{
			"":                                time.Hour,
			"since=":                          time.Hour,
			"since=15m":                       15 * time.Minute,
			"since=1m30s":                     90 * time.Second,
			"since=72h":                       time.Hour,
			"since=" + rfc3339(now, 10*60):    10 * time.Minute,
			"since=" + rfc3339(now, 10*3600):  time.Hour,
			"since=" + rfc3339(now, -60):      0,
			"since=9999-12-31T23:59:59-12:00": 0,
			"since=" + now.Add(-time.Minute).In(time.FixedZone("", 7200)).Format(time.RFC3339):                  time.Minute, // its + is a space
			"since=" + url.QueryEscape(now.Add(-time.Minute).In(time.FixedZone("", 7200)).Format(time.RFC3339)): time.Minute,
			"other=x&since=1s": time.Second,
		} {
			b := getPast(t, h, "?service=redis&"+query)
			if !b.Since.Equal(now.Add(-want)) || len(b.Services) != 1 || b.Readiness != nil {
				t.Errorf("%s: since %s, want %s ago", query, b.Since, want)
			}
			// Redis is probed every 5 s, the last time 3 s ago.
			results := b.Services["redis"].Results
			if n := max(0, int((want+2*time.Second)/(5*time.Second))); len(results) != n {
				t.Errorf("%s: %d results, want %d", query, len(results), n)
			}
		}
	})
}

func rfc3339(now time.Time, secondsAgo int) string {
	return now.Add(-time.Duration(secondsAgo) * time.Second).UTC().Format(time.RFC3339)
}

func TestPastBadQueries(t *testing.T) {
	t.Parallel()
	h := scenario.All()["healthy"].Handler(server.Full)
	for query, test := range map[string]struct {
		code int
		text string
	}{
		"since=yesterday":     {400, "since: "},
		"since=15":            {400, "since: "},
		"since=-5m":           {400, "RFC 3339"},
		"since=0s":            {400, "such as 15m"},
		"since=2026-01-31":    {400, "since: "},
		"since=%zz":           {400, "query: "},
		"service=mysql":       {404, `"/health/history"`},
		"service=Redis":       {404, "no such path or service"},
		"service=&since=1m":   {200, `"redis"`},
		"service=redis&since": {200, `"redis"`},
	} {
		w := scenario.Get(h, "/health/history?"+query)
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.text) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
		if w.Code != http.StatusBadRequest {
			checkAnswer(t, w)
		}
	}
}

// TestPastDetails: safe tells as much as full, for there are no names in it; off
// tells statuses.
func TestPastDetails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := scenario.Get(scenario.AnHour().Handler(server.Full), "/health/history").Body.String()
		if safe := scenario.Get(scenario.AnHour().Handler(server.Safe), "/health/history").Body.String(); safe != full {
			t.Error("safe and full differ")
		}
		if strings.Contains(full, "canary") || strings.Contains(full, "reims-archive") {
			t.Error("a message is told")
		}
		s := scenario.Scenario{History: scenario.AllWell().But("redis", []scenario.Step{
			{Ago: 10 * time.Second, Fault: scenario.Fault(health.ReasonRefused)}, {Ago: 5 * time.Second, Fault: scenario.Fault(health.ReasonTimeout)}, {Ago: time.Second},
		})}
		for _, authorization := range []string{"", "Bearer " + scenario.Token} {
			w := scenario.Get(s.Handler(server.Off), "/health/history?service=redis", "Authorization", authorization)
			for _, word := range []string{"reason", "refused", "timeout", "_ms"} {
				if strings.Contains(w.Body.String(), word) {
					t.Errorf("off tells %q: %s", word, w.Body)
				}
			}
			// That the reason changed is not told either.
			if n := strings.Count(w.Body.String(), `"from"`); n != 2 {
				t.Errorf("%d changes: %s", n, w.Body)
			}
		}
	})
}

// counting is a history that counts who looks.
type counting struct {
	server.History
	looks int
}

func (c *counting) Samples(service string, since time.Time) []health.Sample {
	c.looks++
	return c.History.Samples(service, since)
}

// TestPastBetween has a reader come between the monitor, which shows its latest view
// first, and the handler, which is told of it next: once it is, the history has the
// result, with nobody else to tell it.
func TestPastBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		last, told := scenario.AnHour().Remembered()
		monitor := &scenario.Monitor{Latest: last}
		h := server.NewHandler(monitor, server.Options{Details: server.Full, History: told})
		advance(time.Second)
		results := slices.Clone(last.Results())
		results[0] = results[0].Next(scenario.Outcome("database", time.Now(), nil))
		next := health.NewView(time.Now(), results, health.NoOverride, false)
		monitor.Latest = next
		getPast(t, h, "")
		h.Publish(next)
		if n := len(getPast(t, h, "").Services["database"].Results); n != 721 {
			t.Errorf("%d results, want the newest among them", n)
		}
	})
}

// What was made for a reader is not kept when another view is there: it is large,
// and nobody may ask again.
func TestPastForgotten(t *testing.T) {
	t.Parallel()
	last, told := scenario.All()["healthy"].Remembered()
	h := server.NewHandler(&scenario.Monitor{Latest: last}, server.Options{Details: server.Full, History: told})
	getPast(t, h, "")
	if !h.Keeps() {
		t.Error("nothing is kept for the next reader")
	}
	next := *last
	if h.Publish(&next); h.Keeps() {
		t.Error("what is out of date is kept")
	}
}

// A name is written as JSON wants it, not as Go.
func TestPastOddName(t *testing.T) {
	t.Parallel()
	const odd = "a\x01\"\U0001f600"
	svc := scenario.Services(0)[0]
	svc.Name = odd
	v := health.NewView(time.Now(), []health.Result{health.NewResult(svc, time.Now())}, health.NoOverride, false)
	h := server.NewHandler(&scenario.Monitor{Latest: v}, server.Options{Details: server.Full, History: past.New([]*health.Service{svc})})
	if _, ok := getPast(t, h, "").Services[odd]; !ok {
		t.Error("the service is not there by its name")
	}
}

// TestMadeOnce asks a lot of one view: the past is looked at once for all of
// /health/history.
func TestMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		last, told := scenario.AnHour().Remembered()
		c := &counting{History: told}
		h := server.NewHandler(&scenario.Monitor{Latest: last}, server.Options{Details: server.Full, History: c})
		if c.looks != 0 {
			t.Errorf("%d looks before anybody asked", c.looks)
		}
		for i := range 100 {
			getPast(t, h, "?since="+strconv.Itoa(i+1)+"s")
		}
		if c.looks != 4 {
			t.Errorf("/health/history: %d looks, want one a service", c.looks)
		}
	})
}
