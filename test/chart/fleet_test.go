package chart_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/fleet/controller"
	"github.com/reims/reims-health/pkg/fleet/program"
)

// fleetOf returns the container of the fleet program.
func fleetOf(t *testing.T, objects []object) object {
	t.Helper()
	all := containers(ofKind(t, objects, "Deployment")[0].pod())
	if len(all) != 1 || all[0].text("name") != "fleet" {
		t.Fatalf("%d containers", len(all))
	}
	return all[0]
}

// runsTheFleetProgram holds that the Pod has a port for each probe and what scrapes and asks
// it, and that every right it has is given where it looks.
func runsTheFleetProgram(t *testing.T, objects []object) {
	t.Helper()
	c := fleetOf(t, objects)
	open := make(map[any]bool)
	for _, port := range c.list("ports") {
		open[port["containerPort"]] = true
	}
	used := []any{c.at("startupProbe", "httpGet", "port"), c.at("livenessProbe", "httpGet", "port"), c.at("readinessProbe", "httpGet", "port")}
	for _, o := range objects {
		switch o.text("kind") {
		case "Service":
			for _, port := range o.list("spec", "ports") {
				used = append(used, port["targetPort"])
			}
		case "PodMonitor":
			used = append(used, o.list("spec", "podMetricsEndpoints")[0]["portNumber"])
		case "NetworkPolicy":
			for _, rule := range o.list("spec", "ingress") {
				used = append(used, rule.list("ports")[0]["port"])
			}
		default:
		}
	}
	for _, port := range used {
		if !open[port] {
			t.Errorf("port %v is used, and the container has %v", port, open)
		}
	}
	bound := make(map[string]bool)
	for _, o := range objects {
		if kind, isBinding := strings.CutSuffix(o.text("kind"), "Binding"); isBinding {
			bound[kind+" "+o.text("metadata", "namespace")+"/"+o.text("roleRef", "name")] = true
			if o.list("subjects")[0].text("namespace") != "ns" {
				t.Errorf("%s: the ServiceAccount of another namespace: %v", o.text("kind"), o["subjects"])
			}
		}
	}
	for _, o := range objects {
		if kind := o.text("kind"); strings.HasSuffix(kind, "Role") && !bound[kind+" "+o.text("metadata", "namespace")+"/"+o.text("metadata", "name")] {
			t.Errorf("%s %s is bound to nothing of its namespace", kind, o.text("metadata", "name"))
		}
	}
}

// The program takes the environment of every installation: it ends only where it looks for its
// ServiceAccount. It sets loggers of the process, so nothing runs beside it.
func TestFleetProgramTakesItsEnvironment(t *testing.T) {
	run := func(env map[string]string) (code int, text string) {
		var environ []string
		for name, value := range env {
			environ = append(environ, name+"="+value)
		}
		var stderr bytes.Buffer
		code = program.Run(t.Context(), nil, environ, new(bytes.Buffer), &stderr, program.Build{})
		return code, stderr.String()
	}
	seen := 0
	for _, i := range installations(t) {
		if filepath.Base(i.chart) != "reims-health-fleet" {
			continue
		}
		seen++
		env := environment(fleetOf(t, decode(t, i.render(t, "helm4", kubeVersions[1]))))
		if code, text := run(env); code != 1 || !strings.Contains(text, "use the Pod's service account") {
			t.Errorf("%s: exit code %d: %s", i, code, text)
		}
		env["FLEET_TIMEOUT"] = "soon"
		if code, text := run(env); code != 2 || !strings.Contains(text, "FLEET_TIMEOUT") {
			t.Errorf("%s: a timeout that is none: exit code %d: %s", i, code, text)
		}
	}
	if seen < 3 {
		t.Errorf("%d installations", seen)
	}
}

// What one chart makes is what the program of the other looks for: the label of the Service, the
// object, and the Lease that its Role is about.
func TestFleetFindsWhatTheChartsMake(t *testing.T) {
	t.Parallel()
	fleet := filepath.Join(charts(t), "reims-health-fleet")
	var names []string
	for _, role := range ofKind(t, decode(t, installation{fleet, filepath.Join(fleet, "ci/default-values.yaml")}.render(t, "helm4", kubeVersions[1])), "Role") {
		for _, rule := range role.list("rules") {
			list, _ := rule["resourceNames"].([]any)
			for _, name := range list {
				names = append(names, name.(string))
			}
		}
	}
	if !slices.Equal(names, []string{controller.LeaseName}) {
		t.Errorf("the Role is about the Leases %v, and the program's is %s", names, controller.LeaseName)
	}
	chart := filepath.Join(charts(t), "reims-health")
	objects := decode(t, installation{chart, filepath.Join(chart, "ci/everything-values.yaml")}.render(t, "helm4", kubeVersions[1]))
	workload := ofKind(t, objects, "DependencyHealth")[0]
	found := 0
	for _, service := range ofKind(t, objects, "Service") {
		if service.text("metadata", "labels", controller.SidecarsLabel) != "true" {
			continue
		}
		found++
		if service.text("metadata", "name") != workload.text("spec", "service") || service.list("spec", "ports")[0]["port"] != workload.at("spec", "port") {
			t.Errorf("the object looks for %v, and the labelled Service is %v", workload["spec"], service)
		}
	}
	if found != 1 {
		t.Errorf("%d Services have the label %s, want that of the peers alone", found, controller.SidecarsLabel)
	}
	for name, text := range map[string]string{
		"manifest":  readFile(t, "examples/manifest/shop.yaml"),
		"kustomize": mustTool(t, nil, "kustomize", "build", filepath.Join(root(t), "examples/kustomize/base")),
	} {
		if strings.Count(text, controller.SidecarsLabel+`: "true"`) != 1 {
			t.Errorf("examples/%s: no Service has the label %s", name, controller.SidecarsLabel)
		}
	}
}
