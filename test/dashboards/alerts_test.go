package dashboards_test

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// ruleGroup is a group in Prometheus' rule files.
type ruleGroup struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []rule `yaml:"rules"`
}

type rule struct {
	Record        string            `yaml:"record"`
	Alert         string            `yaml:"alert"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for"`
	KeepFiringFor string            `yaml:"keep_firing_for"`
	Labels        map[string]string `yaml:"labels"`
	Annotations   map[string]string `yaml:"annotations"`
}

// grafanaFile is Grafana's format for provisioned rules.
type grafanaFile struct {
	APIVersion int `yaml:"apiVersion"`
	Groups     []struct {
		OrgID    int           `yaml:"orgId"`
		Name     string        `yaml:"name"`
		Folder   string        `yaml:"folder"`
		Interval string        `yaml:"interval"`
		Rules    []grafanaRule `yaml:"rules"`
	} `yaml:"groups"`
}

type grafanaRule struct {
	UID           string            `yaml:"uid"`
	Title         string            `yaml:"title"`
	Condition     string            `yaml:"condition"`
	Data          []grafanaQuery    `yaml:"data"`
	NoDataState   string            `yaml:"noDataState"`
	ExecErrState  string            `yaml:"execErrState"`
	MissingSeries int               `yaml:"missing_series_evals_to_resolve"`
	For           string            `yaml:"for"`
	KeepFiringFor string            `yaml:"keepFiringFor"`
	Annotations   map[string]string `yaml:"annotations"`
	Labels        map[string]string `yaml:"labels"`
}

type grafanaQuery struct {
	RefID             string         `yaml:"refId"`
	RelativeTimeRange map[string]int `yaml:"relativeTimeRange"`
	QueryType         string         `yaml:"queryType"`
	DatasourceUID     string         `yaml:"datasourceUid"`
	Model             map[string]any `yaml:"model"`
}

func ruleGroups(t *testing.T) []ruleGroup {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(config, "prometheus/rules/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no rules", err)
	}
	var all []ruleGroup
	for _, file := range files {
		var content struct {
			Groups []ruleGroup `yaml:"groups"`
		}
		load(t, file, &content)
		all = append(all, content.Groups...)
	}
	return all
}

func grafanaRules(t *testing.T) grafanaFile {
	t.Helper()
	var file grafanaFile
	load(t, filepath.Join(config, "grafana/provisioning/alerting/rules.yaml"), &file)
	return file
}

// Read back the way Grafana reads it, the generated file is Prometheus' rules.
func TestGrafanaRulesMeanTheSame(t *testing.T) {
	t.Parallel()
	var want []ruleGroup
	for _, group := range ruleGroups(t) {
		alerts := ruleGroup{Name: group.Name, Interval: cmp.Or(group.Interval, "30s")}
		for _, r := range group.Rules {
			if r.Alert != "" {
				r.For = cmp.Or(r.For, "0s")
				alerts.Rules = append(alerts.Rules, r)
			}
		}
		if alerts.Rules != nil {
			want = append(want, alerts)
		}
	}
	var have []ruleGroup
	for _, group := range grafanaRules(t).Groups {
		back := ruleGroup{Name: group.Name, Interval: group.Interval}
		for _, r := range group.Rules {
			back.Rules = append(back.Rules, prometheusRule(t, r))
		}
		have = append(have, back)
	}
	if diff := gocmp.Diff(want, have); diff != "" {
		t.Errorf("Prometheus' rules (-) and Grafana's (+); run: make update-dashboards\n%s", diff)
	}
}

// prometheusRule is what Grafana would make of a rule, in Prometheus' terms. Grafana
// expands variables of the environment in labels, and leaves annotations alone.
func prometheusRule(t *testing.T, r grafanaRule) rule {
	t.Helper()
	labels := maps.Clone(r.Labels)
	for name, value := range labels {
		labels[name] = inPrometheus(t, grafanaExpands(value))
	}
	annotations := maps.Clone(r.Annotations)
	for name, value := range annotations {
		annotations[name] = inPrometheus(t, value)
	}
	return rule{
		Alert: r.Title, Expr: condition(t, r), For: r.For, KeepFiringFor: r.KeepFiringFor,
		Labels: labels, Annotations: annotations,
	}
}

// grafanaExpands is Grafana's treatment of most strings in provisioning files.
func grafanaExpands(text string) string {
	parts := strings.Split(text, "$$")
	for i, part := range parts {
		parts[i] = os.Expand(part, func(string) string { return "" })
	}
	return strings.Join(parts, "$")
}

var plainValue = regexp.MustCompile(`\$value\b`)

// inPrometheus turns the query's value back to Prometheus' name for it.
func inPrometheus(t *testing.T, text string) string {
	t.Helper()
	if plainValue.MatchString(text) {
		t.Errorf("$value is a list of all expressions in Grafana: %s", text)
	}
	return strings.ReplaceAll(text, "$values.query.Value", "$value")
}

// condition returns a rule's query, having made sure that the rule fires exactly for
// each series that the query returns: of whatever value, and not without any.
func condition(t *testing.T, r grafanaRule) string {
	t.Helper()
	query := r.Data[0]
	expr, _ := query.Model["expr"].(string)
	own := map[string]any{"type": "__expr__", "uid": "__expr__"}
	want := grafanaRule{
		UID: r.UID, Title: r.Title, For: r.For, KeepFiringFor: r.KeepFiringFor, Annotations: r.Annotations, Labels: r.Labels,
		NoDataState: "OK", ExecErrState: "Error", MissingSeries: 1, Condition: "threshold",
		Data: []grafanaQuery{
			{
				RefID: "query", RelativeTimeRange: map[string]int{"from": 600, "to": 0}, DatasourceUID: "prometheus",
				Model: map[string]any{
					"refId": "query", "expr": expr, "instant": true, "range": false,
					"datasource": map[string]any{"type": "prometheus", "uid": "prometheus"},
				},
			},
			{
				RefID: "prometheus_math", RelativeTimeRange: map[string]int{"from": 0, "to": 0}, QueryType: "math", DatasourceUID: "__expr__",
				Model: map[string]any{
					"refId": "prometheus_math", "type": "math", "datasource": own,
					"expression": "is_number($query) || is_nan($query) || is_inf($query)",
				},
			},
			{
				RefID: "threshold", RelativeTimeRange: map[string]int{"from": 0, "to": 0}, QueryType: "threshold", DatasourceUID: "__expr__",
				Model: map[string]any{
					"refId": "threshold", "type": "threshold", "datasource": own, "expression": "prometheus_math",
					"conditions": []any{map[string]any{
						"type": "query", "evaluator": map[string]any{"type": "gt", "params": []any{0}},
					}},
				},
			},
		},
	}
	if diff := gocmp.Diff(want, r); diff != "" {
		t.Errorf("%s fires on something else (-want +got)\n%s", r.UID, diff)
	}
	return expr
}

func TestGrafanaRulesHaveUIDsOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, group := range grafanaRules(t).Groups {
		for _, r := range group.Rules {
			if seen[r.UID] || !regexp.MustCompile(`^reims-[a-z-]{1,34}$`).MatchString(r.UID) {
				t.Errorf("%s has the UID %q", r.Title, r.UID)
			}
			seen[r.UID] = true
		}
	}
}
