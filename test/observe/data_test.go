//go:build observe

package observe_test

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/config/prometheus"
	"github.com/reims/reims-health/test/observe"
	"github.com/reims/reims-health/test/servers"
)

// legitimatelyEmpty are parts of queries for which this run has no data, and why.
var legitimatelyEmpty = map[string]string{
	"kube_pod_":          "comes from kube-state-metrics, which needs Kubernetes",
	"reims_fleet_":       "comes from the fleet program, which needs Kubernetes",
	"reims-health-fleet": "is the fleet program's job, which needs Kubernetes",
	`service="ollama", result="success", reason!=""`: "Ollama lacked no model",
	`to="degraded", service="ollama"`:                "Ollama lacked no model",
	`reason="too_many_connections"`:                  "PostgreSQL had connections left",
	`alertname="ReimsHealthDatabaseConnections"`:     "PostgreSQL had connections left",
}

// Every query of the dashboards and the rules parses, and had data at some moment.
func (l *live) queriesHaveData(t *testing.T) {
	rules, err := observe.RuleQueries(factor)
	if err != nil {
		t.Fatal(err)
	}
	panels, err := observe.PanelQueries(dashboards, l.Scrape())
	if err != nil {
		t.Fatal(err)
	}
	l.checkQueries(t, slices.Concat(rules, panels), legitimatelyEmpty)
}

func (l *live) checkQueries(t *testing.T, queries []observe.Query, excuses map[string]string) {
	t.Helper()
	empty, used := 0, map[string]bool{}
	for _, q := range queries {
		series, err := l.Ask(t.Context(), q.Expr, l.began, time.Now(), time.Second)
		if err != nil {
			t.Errorf("%s: %v", q.Where, err)
			continue
		}
		excuse := excuseFor(q.Expr, excuses)
		switch {
		case len(series) == 0 && excuse == "":
			t.Errorf("%s: no data: %s", q.Where, q.Expr)
		case len(series) == 0:
			empty++
			used[excuse] = true
			t.Logf("%s is empty: %s", q.Where, excuses[excuse])
		}
	}
	for part := range excuses {
		if !used[part] {
			t.Errorf("%s is excused for nothing", part)
		}
	}
	t.Logf("%d queries, %d of them empty for a reason", len(queries), empty)
}

func excuseFor(expr string, excuses map[string]string) string {
	for part := range excuses {
		if strings.Contains(expr, part) {
			return part
		}
	}
	return ""
}

// The alerts that users of the former module had: those on a service's health told of
// the outages, and what all of them look at is there. (Whether an answer was slow is up
// to this machine.)
func (l *live) oldNamesHaveData(t *testing.T) {
	text, err := os.ReadFile("../../config/prometheus/tests/legacy/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := prometheus.Parse("legacy", text)
	if err != nil {
		t.Fatal(err)
	}
	told := []string{"OldServiceDown", "OldDatabaseDown", "OldNoLatency"}
	var queries []observe.Query
	for _, rule := range file.Alerts() {
		if slices.Contains(told, rule.Alert) {
			queries = append(queries, observe.Query{Where: rule.Alert, Expr: rule.Expr})
		}
		for _, selector := range observe.Selectors(rule.Expr) {
			queries = append(queries, observe.Query{Where: rule.Alert, Expr: selector})
		}
	}
	if len(queries) < 2*len(told) {
		t.Errorf("%d queries: %v are not among the old alerts", len(queries), told)
	}
	l.checkQueries(t, queries, nil)
}

// Whatever happened, no sidecar showed more series than the contract allows.
func (l *live) seriesAreFew(t *testing.T) {
	series, err := l.Ask(t.Context(), `scrape_samples_scraped{job="reims-health"}`, l.began, time.Now(), time.Second)
	if err != nil || len(series) != len(l.Sidecars) {
		t.Fatalf("%d series, %v", len(series), err)
	}
	for _, s := range series {
		most := slices.Max(s.Values)
		t.Logf("%s: at most %.0f series", s.Labels["pod"], most)
		if most > 4*56+45 || most < 100 {
			t.Errorf("%s: %v series, want 100 to 56 per service and 45 for the sidecar", s.Labels["pod"], most)
		}
	}
}

// Prometheus' own checker has no complaint but those about the old names.
func (l *live) metricsAreWellNamed(t *testing.T) {
	response, err := http.Get("http://" + l.Sidecars[1].Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	program, err := servers.Promtool(t.Context(), servers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "check", "metrics")
	cmd.Stdin = response.Body
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("no complaint: not even the old names were seen")
	}
	old := []string{"db_latency_ms", "redis_latency_ms", "minio_latency_ms", "ollama_latency_ms"}
	for line := range strings.Lines(string(out)) {
		if name, _, _ := strings.Cut(line, " "); !slices.Contains(old, name) {
			t.Errorf("promtool check metrics: %s", line)
		}
	}
	t.Logf("promtool check metrics, old names only:\n%s", out)
}
