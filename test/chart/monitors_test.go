package chart_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A sidecar that the PodMonitor or the ServiceMonitor finds has the labels by which alerts and
// dashboards go: docs/monitoring.md lists them. Prometheus' own relabeling says so.
func TestMonitorsLabelTheirTargets(t *testing.T) {
	t.Parallel()
	chart := monitoring(t).chart
	for values, kind := range map[string]string{"monitoring": "PodMonitor", "library": "PodMonitor", "reporting": "ServiceMonitor"} {
		i := installation{chart, filepath.Join(chart, "ci", values+"-values.yaml")}
		monitor := ofKind(t, decode(t, i.render(t, "helm4", kubeVersions[1])), kind)[0]
		config := scrapeConfig(monitor, object{
			"__meta_kubernetes_namespace": "reims", "__meta_kubernetes_pod_name": "api-0", "__meta_kubernetes_service_name": "api-health",
			"__meta_kubernetes_pod_container_name": "reims-health", "__meta_kubernetes_pod_node_name": "node-a",
		})
		out := promtoolDiscovery(t, config)
		want := map[string]string{
			"job": jobOfRules(t), "namespace": "reims", "pod": "api-0", "container": "reims-health", "node": "node-a", "instance": "10.0.0.1:9008",
		}
		have := make(map[string]string)
		for name := range want {
			have[name] = out[name]
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", i, diff)
		}
		if service, ok := out["service"]; ok {
			t.Errorf("%s: the target has the label service %q, which is the metrics' own", i, service)
		}
	}
}

// The ServiceMonitor finds the port of exactly one Service, so that no sidecar is scraped twice.
func TestServiceMonitorFindsOneService(t *testing.T) {
	t.Parallel()
	chart := monitoring(t).chart
	objects := decode(t, installation{chart, filepath.Join(chart, "ci/reporting-values.yaml")}.render(t, "helm4", kubeVersions[1]))
	monitor := ofKind(t, objects, "ServiceMonitor")[0]
	var found []string
	for _, service := range ofKind(t, objects, "Service") {
		for _, port := range service.list("spec", "ports") {
			if matches(monitor.child("spec", "selector", "matchLabels"), service.child("metadata", "labels")) &&
				port.text("name") == monitor.list("spec", "endpoints")[0].text("port") {
				found = append(found, service.text("metadata", "name"))
			}
		}
	}
	if diff := cmp.Diff([]string{"rel-reims-health-health"}, found); diff != "" {
		t.Error(diff)
	}
}

// scrapeConfig is what the Prometheus Operator makes of a PodMonitor or a ServiceMonitor, in its
// order (pkg/prometheus/promcfg.go), with one target that was found.
func scrapeConfig(monitor, meta object) object {
	relabel := []object{
		{"source_labels": []string{"__meta_kubernetes_namespace"}, "target_label": "namespace"},
		{"source_labels": []string{"__meta_kubernetes_pod_container_name"}, "target_label": "container"},
		{"source_labels": []string{"__meta_kubernetes_pod_name"}, "target_label": "pod"},
		{"target_label": "job", "replacement": meta.text("__meta_kubernetes_namespace") + "/" + monitor.text("metadata", "name")},
	}
	endpoints := monitor.list("spec", "podMetricsEndpoints")
	if monitor.text("kind") == "ServiceMonitor" {
		endpoints = monitor.list("spec", "endpoints")
		relabel = append(relabel, object{"source_labels": []string{"__meta_kubernetes_service_name"}, "target_label": "service"})
	}
	names := map[string]string{"sourceLabels": "source_labels", "targetLabel": "target_label"}
	for _, relabeling := range endpoints[0].list("relabelings") {
		step := object{}
		for key, value := range relabeling {
			if name, ok := names[key]; ok {
				key = name
			}
			step[key] = value
		}
		relabel = append(relabel, step)
	}
	return object{"scrape_configs": []object{{
		"job_name": "podMonitor", "relabel_configs": relabel,
		"static_configs": []object{{"targets": []string{"10.0.0.1:9008"}, "labels": meta}},
	}}}
}

// promtoolDiscovery returns the labels of the one target.
func promtoolDiscovery(t *testing.T, config object) map[string]string {
	t.Helper()
	var targets []struct{ Labels map[string]string }
	// It waits to the end for more targets.
	out := promtool(t, "service-discovery", config, "podMonitor", "--timeout=2s")
	if err := json.Unmarshal([]byte(out), &targets); err != nil || len(targets) != 1 {
		t.Fatalf("%v:\n%s", err, out)
	}
	return targets[0].Labels
}

// jobOfRules is the one that the rules ask for.
func jobOfRules(t *testing.T) string {
	t.Helper()
	jobs := make(map[string]bool)
	job := ""
	for _, text := range contents(t, filepath.Join(root(t), sources["rules"])) {
		for _, match := range regexp.MustCompile(`\bjob="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			if match[1] == "reims-health-fleet" { // which has monitors of its own
				continue
			}
			job = match[1]
			jobs[job] = true
		}
	}
	if len(jobs) != 1 {
		t.Fatalf("the rules ask for the jobs %v, want one", jobs)
	}
	return job
}
