package metrics_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/reims/reims-health/pkg/health"
)

// At the start everything that can be counted is there, at zero, and nothing that
// was not measured is.
func TestExpositionBeforeTheFirstCheck(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "redis")
	err := testutil.GatherAndCompare(p.Gatherer(), strings.NewReader(`
# HELP reims_health_override The break-glass file that decides readiness: 1 for the mode that it sets, else 0. Both are 0 without an override.
# TYPE reims_health_override gauge
reims_health_override{mode="not_ready"} 0
reims_health_override{mode="ready"} 0
# HELP reims_health_probe_duration_seconds How long the service took to answer (success) or the check took to fail (failure), in seconds. A failed check counts as slower than every bucket.
# TYPE reims_health_probe_duration_seconds histogram
reims_health_probe_duration_seconds_bucket{result="failure",service="redis",le="+Inf"} 0
reims_health_probe_duration_seconds_sum{result="failure",service="redis"} 0
reims_health_probe_duration_seconds_count{result="failure",service="redis"} 0
reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.001"} 0
reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.01"} 0
reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.1"} 0
reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="1"} 0
reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="+Inf"} 0
reims_health_probe_duration_seconds_sum{result="success",service="redis"} 0
reims_health_probe_duration_seconds_count{result="success",service="redis"} 0
# HELP reims_health_ready Whether the Pod is ready for traffic: 1 exactly when /health/ready answers 200, else 0.
# TYPE reims_health_ready gauge
reims_health_ready 0
# HELP reims_health_status The verdict on the service: 1 for the status that it has, 0 for the others.
# TYPE reims_health_status gauge
reims_health_status{service="redis",status="degraded"} 0
reims_health_status{service="redis",status="healthy"} 0
reims_health_status{service="redis",status="unhealthy"} 0
reims_health_status{service="redis",status="unknown"} 1
# HELP reims_health_transitions_total Changes of the verdict, by the status it changed to. The first verdict counts, a result that went stale does not.
# TYPE reims_health_transitions_total counter
reims_health_transitions_total{service="redis",to="degraded"} 0
reims_health_transitions_total{service="redis",to="healthy"} 0
reims_health_transitions_total{service="redis",to="unhealthy"} 0
# HELP reims_health_up Whether the service is healthy or degraded: 1 exactly when /health/NAME answers 200, else 0.
# TYPE reims_health_up gauge
reims_health_up{service="redis"} 0
# HELP reims_service_health Old name of reims_health_up: 1 exactly when /health/NAME answers 200, else 0.
# TYPE reims_service_health gauge
reims_service_health{service="redis"} 0
`), "reims_health_up", "reims_health_status", "reims_health_probe_duration_seconds", "reims_health_ready",
		"reims_health_override", "reims_health_transitions_total", "reims_service_health",
		// absent:
		"reims_health_probe_last_duration_seconds", "reims_health_last_probe_timestamp_seconds",
		"reims_health_last_success_timestamp_seconds", "redis_latency_ms", "reims_health_redis_memory_bytes")
	if err != nil {
		t.Error(err)
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), services...)
	p.check("database", answer(3*time.Millisecond, databaseMeasures()...))
	p.check("redis", answer(time.Millisecond, redisMeasures()...))
	want := map[string]float64{
		"db_pool_active": 1,
		"db_pool_size":   2,
		"db_pool_free":   3,
		`reims_health_db_connections{kind="used",service="database"}`:                     4,
		`reims_health_db_connections{kind="max",service="database"}`:                      5,
		`reims_health_schema_version{kind="current",service="database"}`:                  6,
		`reims_health_schema_version{kind="required",service="database"}`:                 7,
		`reims_health_app_db_connections{service="database",state="active"}`:              8,
		`reims_health_app_db_connections{service="database",state="idle"}`:                9,
		`reims_health_app_db_connections{service="database",state="idle in transaction"}`: 10,
		`reims_health_app_db_connections{service="database",state="other"}`:               11,
		`reims_health_redis_memory_bytes{kind="used",service="redis"}`:                    12,
		`reims_health_redis_memory_bytes{kind="peak",service="redis"}`:                    13,
		`reims_health_redis_memory_bytes{kind="max",service="redis"}`:                     14,
	}
	got := p.scrape(t)
	for name := range got {
		if _, ok := want[name]; !ok {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	p.check("database", answer(time.Millisecond))
	p.check("redis", fail(health.ReasonRefused))
	got = p.scrape(t)
	for name := range want {
		if v, ok := got[name]; ok {
			t.Errorf("%s is %v though the latest check did not report it", name, v)
		}
	}
}

// The scope of a fault is one-hot and all zero without a fault; held follows readiness. Both
// are absent where no peers are asked.
func TestScope(t *testing.T) {
	t.Parallel()
	shared := health.Finding{Scope: health.ScopeShared, Asked: 12, Failing: 11, Sound: 1}
	for name, test := range map[string]struct {
		peers    bool
		checks   []health.Outcome
		found    health.Finding
		override health.Override
		scope    health.Scope // "": every one is 0
		held     float64
	}{
		"no peers":   {checks: []health.Outcome{answer(1), fail("refused")}},
		"no fault":   {peers: true, checks: []health.Outcome{answer(1)}},
		"first":      {peers: true, checks: []health.Outcome{answer(1), fail("refused")}, scope: health.ScopeUndecided, held: 1},
		"shared":     {peers: true, checks: []health.Outcome{answer(1), fail("refused")}, found: shared, scope: health.ScopeShared, held: 1},
		"overridden": {peers: true, checks: []health.Outcome{answer(1), fail("refused")}, found: shared, override: health.OverrideReady, scope: health.ScopeShared},
		"unproven":   {peers: true, checks: []health.Outcome{fail("refused")}, found: shared, scope: health.ScopeShared},
		"local":      {peers: true, checks: []health.Outcome{answer(1), fail("refused")}, found: health.Finding{Scope: health.ScopeLocal, Asked: 12, Sound: 12}, scope: health.ScopeLocal},
		"over":       {peers: true, checks: []health.Outcome{answer(1), fail("refused"), answer(1)}, found: shared},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPod(time.Now(), "database")
				if test.peers {
					p.asksPeers()
				}
				p.override = test.override
				for _, o := range test.checks {
					p.check("database", o)
				}
				p.found("database", test.found)
				got := p.scrape(t)
				if held, there := got[`reims_health_held{service="database"}`]; held != test.held || there != test.peers {
					t.Errorf("held is %v (there: %t), want %v", held, there, test.held)
				}
				for _, s := range health.Scopes() {
					n, there := got[`reims_health_fault_scope{scope="`+string(s)+`",service="database"}`]
					if there != test.peers || (n == 1) != (s == test.scope) {
						t.Errorf("scope %s is %v (there: %t), want %s", s, n, there, test.scope)
					}
				}
			})
		})
	}
}

// The counts of the peers are those of the moment of the scrape.
func TestPeers(t *testing.T) {
	t.Parallel()
	p, answered := newPod(time.Now(), "redis"), 0
	for sample := range p.scrape(t) {
		if strings.HasPrefix(sample, "reims_health_peers") {
			t.Errorf("%s is there where no peers are asked", sample)
		}
	}
	p.WatchPeers(func() (int, int, int) { return 999, 16, answered })
	answered = 15
	got := p.scrape(t)
	for state, want := range map[string]float64{"known": 999, "asked": 16, "answered": 15} {
		if n := got[`reims_health_peers{state="`+state+`"}`]; n != want {
			t.Errorf("%s is %v, want %v", state, n, want)
		}
	}
}

// The old latency gauge is that of the same observation as the new one, and absent
// while there is no answer to time.
func TestLatency(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		outcome health.Outcome
		want    float64 // of the new one
		shown   bool    // the old one
	}{
		{"answer", answer(312345 * time.Nanosecond), 0.000312345, true},
		{"slow", impaired(health.ReasonSlow), 0.001, true},
		{"refused", fail(health.ReasonRefused), 1, false},
	}
	for _, tt := range tests {
		for service, legacy := range map[string]string{
			"database": "db_latency_ms", "redis": "redis_latency_ms", "minio": "minio_latency_ms", "ollama": "ollama_latency_ms",
		} {
			p := newPod(time.Now(), services...)
			p.check(service, tt.outcome)
			got := p.scrape(t)
			last, ok := got[`reims_health_probe_last_duration_seconds{service="`+service+`"}`]
			if !ok || last != tt.want {
				t.Errorf("%s, %s: probe_last_duration_seconds is %v, want %v", service, tt.name, last, tt.want)
			}
			latency, shown := got[legacy]
			if shown != tt.shown || shown && latency != last*1000 {
				t.Errorf("%s, %s: %s is %v (shown: %v), last duration %v s", service, tt.name, legacy, latency, shown, last)
			}
		}
	}
}

// Between two scrapes a result goes stale with nothing published: the second one
// must say so by itself.
func TestStaleAtScrape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPod(time.Now(), "database")
		p.check("database", answer(time.Millisecond, databaseMeasures()...))
		<-time.After(12 * time.Second) // 2 x interval + timeout, from the end of the check
		fresh := p.scrape(t)
		<-time.After(3 * time.Millisecond)
		old := p.scrape(t)
		for name, want := range map[string][2]float64{
			`reims_health_up{service="database"}`:                               {1, 0},
			`reims_service_health{service="database"}`:                          {1, 0},
			`reims_health_status{service="database",status="healthy"}`:          {1, 0},
			`reims_health_status{service="database",status="unhealthy"}`:        {0, 1},
			`reims_health_ready`:                                                {1, 0},
			`reims_health_transitions_total{service="database",to="unhealthy"}`: {0, 0},
		} {
			if got := [2]float64{fresh[name], old[name]}; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		for _, name := range []string{
			"db_latency_ms", "db_pool_size", `reims_health_app_db_connections{service="database",state="idle"}`,
			`reims_health_probe_last_duration_seconds{service="database"}`,
		} {
			if _, ok := fresh[name]; !ok {
				t.Errorf("%s is absent while fresh", name)
			}
			if _, ok := old[name]; ok {
				t.Errorf("%s is shown though stale", name)
			}
		}
	})
}

func TestOneHot(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "database")
	if status := hot(t, p.scrape(t), "reims_health_status{"); !strings.Contains(status, `"unknown"`) {
		t.Errorf("before the first check: %s", status)
	}
	for _, step := range []struct {
		outcome health.Outcome
		want    string
		up      float64
	}{
		{answer(time.Millisecond), `"healthy"`, 1},
		{impaired(health.ReasonSlow), `"degraded"`, 1},
		{fail(health.ReasonRefused), `"unhealthy"`, 0},
	} {
		p.check("database", step.outcome)
		got := p.scrape(t)
		if status := hot(t, got, "reims_health_status{"); !strings.Contains(status, step.want) {
			t.Errorf("got %s, want %s", status, step.want)
		}
		for _, name := range []string{"reims_health_up", "reims_service_health"} {
			if up := got[name+`{service="database"}`]; up != step.up {
				t.Errorf("%s: %s is %v", step.want, name, up)
			}
		}
	}
	for _, o := range []health.Override{health.OverrideReady, health.OverrideNotReady} {
		p.override = o
		p.publish()
		got := p.scrape(t)
		if mode := hot(t, got, "reims_health_override{"); mode != `reims_health_override{mode="`+string(o)+`"}` {
			t.Errorf("override %s: %s", o, mode)
		}
		if ready := got["reims_health_ready"] == 1; ready != (o == health.OverrideReady) {
			t.Errorf("override %s: ready is %v", o, ready)
		}
	}
}

// hot returns the one sample with that prefix that is 1; the others must be 0.
func hot(t *testing.T, samples map[string]float64, prefix string) string {
	t.Helper()
	found := ""
	for name, v := range samples {
		switch {
		case !strings.HasPrefix(name, prefix) || v == 0:
		case v == 1 && found == "":
			found = name
		default:
			t.Errorf("%s is %v, and so is %s", name, v, found)
		}
	}
	return found
}

func TestTimestamps(t *testing.T) {
	t.Parallel()
	p := newPod(time.UnixMilli(1_700_000_000_000), "redis")
	p.check("redis", answer(250*time.Millisecond))
	p.check("redis", fail(health.ReasonRefused)) // a second later
	got := p.scrape(t)
	if v := got[`reims_health_last_success_timestamp_seconds{service="redis"}`]; v != 1_700_000_000.251 {
		t.Errorf("last success %f", v)
	}
	if v := got[`reims_health_last_probe_timestamp_seconds{service="redis"}`]; v != 1_700_000_001.251 {
		t.Errorf("last probe %f", v)
	}
}

// A service that is in no table has every metric that is not somebody else's.
func TestUnknownService(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "qdrant")
	p.check("qdrant", answer(time.Millisecond))
	got := p.scrape(t)
	for _, name := range []string{
		`reims_health_up{service="qdrant"}`, `reims_service_health{service="qdrant"}`,
		`reims_health_probe_last_duration_seconds{service="qdrant"}`,
		`reims_health_probes_total{reason="",result="success",service="qdrant"}`,
	} {
		if got[name] == 0 {
			t.Errorf("%s is missing or 0", name)
		}
	}
	if _, ok := got["qdrant_latency_ms"]; ok {
		t.Error("an old name for a new service")
	}
}

func databaseMeasures() []health.Value {
	return numbers(1, "pool_active", "pool_size", "pool_free", "connections_used", "connections_max",
		"schema_current", "schema_required", "app_connections_active", "app_connections_idle",
		"app_connections_idle_in_transaction", "app_connections_other")
}

func redisMeasures() []health.Value {
	return numbers(12, "memory_usage", "memory_peak", "memory_max")
}

// numbers gives each measure a value of its own, counting up.
func numbers(first int, names ...string) []health.Value {
	var all []health.Value
	for i, name := range names {
		all = append(all, health.Number(name, first+i))
	}
	return all
}

// What the sidecar tells of itself is there from the start, at zero, and only where it is
// on.
func TestOwn(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "redis")
	const failing = `reims_health_pod_reporting_failing{kind="condition"}`
	if _, ok := p.scrape(t)[failing]; ok {
		t.Error("figures on reporting where there is none")
	}
	dropped := uint64(0)
	p.WatchLog(func() uint64 { return dropped })
	reports := p.WatchPodReports()
	for _, step := range []struct {
		do   func()
		want map[string]float64
	}{
		{func() {}, map[string]float64{
			"reims_health_log_lines_dropped_total": 0, failing: 0,
			`reims_health_pod_reports_total{kind="condition",result="success"}`: 0,
			`reims_health_pod_reports_total{kind="event",result="failure"}`:     0,
		}},
		{func() { dropped = 7; reports.Attempted("condition", nil) }, map[string]float64{
			"reims_health_log_lines_dropped_total":                              7,
			`reims_health_pod_reports_total{kind="condition",result="success"}`: 1,
		}},
		{func() { reports.Attempted("event", errors.New("forbidden")); reports.Failing("condition", true) }, map[string]float64{
			failing: 1, `reims_health_pod_reporting_failing{kind="event"}`: 0,
			`reims_health_pod_reports_total{kind="event",result="failure"}`: 1,
		}},
		{func() { reports.Failing("condition", false) }, map[string]float64{failing: 0}},
		{reports.Impossible, map[string]float64{failing: 1, `reims_health_pod_reporting_failing{kind="event"}`: 1}},
	} {
		step.do()
		got := p.scrape(t)
		for name, want := range step.want {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s: %v (there: %t), want %v", name, value, ok, want)
			}
		}
	}
}
