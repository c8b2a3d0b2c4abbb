package chart_test

import (
	"encoding/json"
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

// monitoring is the installation with the rules and dashboards as they are.
func monitoring(t *testing.T) installation {
	t.Helper()
	chart := filepath.Join(charts(t), "reims-health")
	return installation{chart, filepath.Join(chart, "ci/monitoring-values.yaml")}
}

// ofKind fails where there is none.
func ofKind(t *testing.T, objects []object, kind string) []object {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(objects), func(o object) bool { return o.text("kind") != kind })
	if len(found) == 0 {
		t.Fatalf("there is no %s", kind)
	}
	return found
}

// The groups are those of the files, templates of Prometheus and all, but for the excluded.
func TestRulesAreThoseOfConfig(t *testing.T) {
	t.Parallel()
	for _, helm := range helms {
		for _, excluded := range [][]string{{}, {"ReimsHealthDegraded", "ReimsHealthSidecarStarved"}} {
			names, err := json.Marshal(excluded)
			if err != nil {
				t.Fatal(err)
			}
			out := monitoring(t).render(t, helm, kubeVersions[1], "--set-json", "monitoring.prometheusRule.exclude="+string(names))
			rule := ofKind(t, decode(t, out), "PrometheusRule")[0]
			if diff := cmp.Diff(groups(t, excluded), rule.list("spec", "groups")); diff != "" {
				t.Errorf("%s without %v: %s", helm, excluded, diff)
			}
		}
	}
}

// The chart of the fleet program has the one alert about it, as it is.
func TestFleetRuleIsThatOfConfig(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health-fleet")
	i := installation{chart, filepath.Join(chart, "ci/default-values.yaml")}
	want := values(t, filepath.Join(root(t), sources["rules"], fleetRule+".yaml")).list("groups")
	for _, helm := range helms {
		out := i.render(t, helm, kubeVersions[1], "--set", "monitoring.prometheusRule.enabled=true")
		rule := ofKind(t, decode(t, out), "PrometheusRule")[0]
		if diff := cmp.Diff(want, rule.list("spec", "groups")); diff != "" {
			t.Errorf("%s: %s", helm, diff)
		}
	}
}

// groups are those in config, of all files but the excluded.
func groups(t *testing.T, excluded []string) []object {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root(t), sources["rules"], "*.yaml"))
	if err != nil || len(paths) < 10 {
		t.Fatal(len(paths), err)
	}
	var all []object
	for _, path := range paths {
		if !slices.Contains(excluded, strings.TrimSuffix(filepath.Base(path), ".yaml")) {
			all = append(all, values(t, path).list("groups")...)
		}
	}
	return all
}

// Prometheus takes them, with other labels too.
func TestRenderedRulesAreValid(t *testing.T) {
	t.Parallel()
	everything := installation{monitoring(t).chart, filepath.Join(monitoring(t).chart, "ci/everything-values.yaml")}
	fleet := filepath.Join(charts(t), "reims-health-fleet")
	for _, i := range []installation{monitoring(t), everything, {fleet, filepath.Join(fleet, "ci/everything-values.yaml")}} {
		rule := ofKind(t, decode(t, i.render(t, "helm4", kubeVersions[1])), "PrometheusRule")[0]
		promtool(t, "rules", rule.child("spec"), "--lint=all", "--lint-fatal")
	}
}

// promtool has Prometheus' own checker check a file with that content, and returns what it
// says.
func promtool(t *testing.T, what string, content object, args ...string) string {
	t.Helper()
	program, err := servers.Promtool(t.Context(), servers.Options{Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), what+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"check", what, file}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool check %s: %v\n%s", what, err, out)
	}
	return string(out)
}

// Every dashboard is a ConfigMap of its own, byte for byte, under a name that no other
// chart gives: Grafana's sidecar makes files of all, in one folder.
func TestDashboardsAreThoseOfConfig(t *testing.T) {
	t.Parallel()
	for _, helm := range helms {
		have := make(map[string]string)
		for _, o := range ofKind(t, decode(t, monitoring(t).render(t, helm, kubeVersions[1])), "ConfigMap") {
			data := o.child("data")
			if o.text("metadata", "labels", "grafana_dashboard") != "1" || len(data) != 1 {
				t.Errorf("%s is no dashboard for the sidecar: %v", o.text("metadata", "name"), o.child("metadata"))
			}
			for name := range data {
				have[name] = data.text(name)
			}
		}
		want := make(map[string]string)
		for name, text := range contents(t, filepath.Join(root(t), sources["dashboards"])) {
			want["reims-health-"+name] = text
			if len(text) > 1<<18 {
				t.Errorf("%s has %d bytes: kubectl apply keeps up to 256 KiB in an annotation", name, len(text))
			}
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", helm, diff)
		}
	}
}
