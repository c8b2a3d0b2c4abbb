package chart_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/test/servers"
)

// threshold is an entry of config/prometheus/thresholds.yaml.
type threshold struct {
	Default float64             `yaml:"default"`
	In      map[string][]string `yaml:"in"`
}

func thresholds(t *testing.T) map[string]threshold {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "config/prometheus/thresholds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]threshold
	if err := yaml.Unmarshal(text, &all); err != nil || len(all) < 10 {
		t.Fatal(len(all), err)
	}
	return all
}

// Each threshold of the values has its default in the rules, in all the places that are listed, and
// nowhere else in the file is the same text.
func TestThresholdsAreInTheRules(t *testing.T) {
	t.Parallel()
	defaults := values(t, filepath.Join(charts(t), "reims-health/values.yaml")).child("monitoring", "prometheusRule", "thresholds")
	all := thresholds(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(defaults))); diff != "" {
		t.Errorf("values.yaml has other thresholds than thresholds.yaml: %s", diff)
	}
	rules := contents(t, filepath.Join(root(t), sources["rules"]))
	for name, threshold := range all {
		if fmt.Sprint(defaults[name]) != fmt.Sprint(threshold.Default) {
			t.Errorf("%s is %v in values.yaml, %v in thresholds.yaml", name, defaults[name], threshold.Default)
		}
		for file, texts := range threshold.In {
			for _, text := range texts {
				want := 1
				if strings.Contains(text, "objective of") {
					want = 2 // both severities
				}
				if have := strings.Count(rules[file+".yaml"], fill(text, threshold.Default)); have != want {
					t.Errorf("%s: %s.yaml has %q %d times, want %d", name, file, fill(text, threshold.Default), have, want)
				}
			}
		}
	}
}

func fill(text string, number float64) string {
	return strings.NewReplacer("{}", fmt.Sprint(number), "{percent}", fmt.Sprint(number*100), "{+}", fmt.Sprint(number+0.5), "{-}", fmt.Sprint(number-0.5)).Replace(text)
}

// Other thresholds change these places and no others. Several that become equal stay apart.
func TestOtherThresholdsChangeTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, other := range []func(float64) float64{
		func(v float64) float64 {
			if v < 1 {
				return v - 0.03125 // also above the least objective
			}
			return v * 2
		},
		func(float64) float64 { return 0.96875 },
	} {
		given := make(map[string]float64)
		text := contents(t, filepath.Join(root(t), sources["rules"]))
		for name, threshold := range thresholds(t) {
			value := other(threshold.Default)
			if threshold.Default > 1 && value < 1 {
				value = 9 // a whole number
			}
			given[name] = value
			for file, places := range threshold.In {
				for _, place := range places {
					text[file+".yaml"] = strings.ReplaceAll(text[file+".yaml"], fill(place, threshold.Default), strings.ReplaceAll(place, "{", "{"+name+":"))
				}
			}
		}
		for file := range text {
			for name, value := range given {
				for _, mark := range []string{"{}", "{percent}", "{+}", "{-}"} {
					text[file] = strings.ReplaceAll(text[file], strings.ReplaceAll(mark, "{", "{"+name+":"), fill(mark, value))
				}
				text[file] = strings.ReplaceAll(text[file], "{"+name+":", "{")
			}
		}
		var want []object
		for _, file := range slices.Sorted(maps.Keys(text)) {
			want = append(want, decode(t, text[file])[0].list("groups")...)
		}
		for _, helm := range helms {
			flags := []string{}
			for name, value := range given {
				flags = append(flags, "--set-json", fmt.Sprintf("monitoring.prometheusRule.thresholds.%s=%v", name, value))
			}
			rule := ofKind(t, decode(t, monitoring(t).render(t, helm, kubeVersions[1], flags...)), "PrometheusRule")[0]
			if diff := cmp.Diff(want, rule.list("spec", "groups")); diff != "" {
				t.Errorf("%s: %s", helm, diff)
			}
			promtool(t, "rules", rule.child("spec"), "--lint=all", "--lint-fatal")
		}
	}
}

// An alert leads to the dashboard of its service, one without a service to the overview.
func TestAlertsLeadToTheirDashboards(t *testing.T) {
	t.Parallel()
	rule := ofKind(t, decode(t, monitoring(t).render(t, "helm4", kubeVersions[1], "--set", "monitoring.prometheusRule.grafanaURL=https://grafana.example.com/g")), "PrometheusRule")[0]
	var url any
	for _, group := range rule.list("spec", "groups") {
		for _, r := range group.list("rules") {
			if r["alert"] == nil {
				continue
			}
			if have := r.at("annotations", "dashboard_url"); url != nil && have != url || have == nil {
				t.Errorf("%s: dashboard_url %v, want that of the others, %v", r.text("alert"), have, url)
			}
			url = r.at("annotations", "dashboard_url")
		}
	}
	dir := t.TempDir()
	tests := map[string]string{
		"namespace=\"reims\",service=\"redis\"":        "/d/reims-health-redis?var-namespace=reims&var-service=redis&var-cluster=blue",
		"namespace=\"reims\",service=\"redis-orders\"": "/d/reims-health-service?var-namespace=reims&var-service=redis-orders&var-cluster=blue",
		"namespace=\"reims\"":                          "/d/reims-health-overview?var-namespace=reims&var-cluster=blue",
		"":                                             "/d/reims-health-overview?var-namespace=$__all&var-cluster=blue",
	}
	files := contents(t, filepath.Join(root(t), sources["dashboards"]))
	for labels, want := range tests {
		uid, _, _ := strings.Cut(strings.TrimPrefix(want, "/d/"), "?")
		if !strings.Contains(files[strings.TrimPrefix(uid, "reims-health-")+".json"], `"uid": "`+uid+`"`) {
			t.Errorf("no dashboard has the UID %s", uid)
		}
		series := object{}
		for label := range strings.SplitSeq(strings.TrimSuffix(labels, "\""), "\",") {
			if name, value, ok := strings.Cut(label, "=\""); ok {
				series[name] = value
			}
		}
		rules := object{"groups": []object{{"name": "g", "rules": []object{{"alert": "A", "expr": "s", "annotations": object{"dashboard_url": url}}}}}}
		check := object{
			"rule_files": []string{"rules.yaml"},
			"tests": []object{{
				"interval": "1m", "external_labels": object{"cluster": "blue"},
				"input_series": []object{{"series": "s{" + labels + "}", "values": "1"}},
				"alert_rule_test": []object{{"eval_time": "0m", "alertname": "A", "exp_alerts": []object{{
					"exp_labels": series, "exp_annotations": object{"dashboard_url": "https://grafana.example.com/g" + want},
				}}}},
			}},
		}
		for name, content := range map[string]object{"rules": rules, "check": check} {
			text, err := yaml.Marshal(content)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name+".yaml"), string(text))
		}
		program, err := servers.Promtool(t.Context(), servers.Options{Progress: func(line string) { t.Log(line) }})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), program, "test", "rules", filepath.Join(dir, "check.yaml")).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", labels, out)
		}
	}
}
