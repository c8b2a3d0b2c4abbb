package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Peers are asked by default where this chart runs the API and there can be more than one
// Pod. Everywhere HEALTH_PEERS and the Service come and go together.
func TestPeersByDefault(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(charts(t), "reims-health")
	example := filepath.Join(charts(t), "example-api")
	tests := []struct {
		chart, values string
		want          bool
	}{
		{chart, "{}", true},
		{chart, "deployment: {replicas: 0}", false},
		{chart, "deployment: {replicas: 1}", false},
		{chart, "deployment: {replicas: 2}", true},
		{chart, "deployment: {replicas: 100}", true},
		{chart, "deployment: {replicas: null}", true},
		{chart, "{deployment: {replicas: 1}, peers: {enabled: true}}", true},
		{chart, "{deployment: {replicas: 100}, peers: {enabled: false}}", false},
		{chart, "{deployment: {replicas: null}, peers: {enabled: false}}", false},
		{chart, "readiness: {gatesTraffic: false}", true},
		{chart, "sidecar: {mode: container}", true},
		{example, "{}", true},
		{example, "reims-health: {peers: {enabled: false}}", false},
		{example, "reims-health: {peers: {enabled: null}}", false},
		{example, "reims-health: {enabled: false}", false},
		{example, "reims-health: {sidecar: {mode: container}}", true},
	}
	dir := t.TempDir()
	for n, test := range tests {
		t.Run(filepath.Base(test.chart)+" "+test.values, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(dir, fmt.Sprintf("%d.yaml", n)) // Helm splits paths at commas
			write(t, file, test.values)
			base := map[string]string{chart: "hook", example: "default"}[test.chart]
			i := installation{test.chart, filepath.Join(test.chart, "ci", base+"-values.yaml")}
			for _, helm := range helms {
				objects := decode(t, i.render(t, helm, kubeVersions[1], "--values", file))
				if on := peersFindEachOther(t, objects); on != test.want {
					t.Errorf("%s: peers are asked: %t, want %t", helm, on, test.want)
				}
			}
		})
	}
}

// An application's chart names a Service of its own, with the context that it gives to the
// named templates.
func TestPeersOfANamedService(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "example-api")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(charts(t), "example-api"))); err != nil {
		t.Fatal(err)
	}
	const own = `{{- $health := merge (dict "peersService" (printf "%s-mates" .Release.Name)) (index .Subcharts "reims-health") }}`
	deployment := filepath.Join(dir, "templates", "deployment.yaml")
	before, err := os.ReadFile(deployment)
	if err != nil {
		t.Fatal(err)
	}
	after := strings.Replace(string(before), `{{- $health := index .Subcharts "reims-health" }}`, own, 1)
	if after == string(before) {
		t.Fatal("the example takes its context in another way")
	}
	write(t, deployment, after)
	write(t, filepath.Join(dir, "templates", "mates.yaml"), `apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}-mates"}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: "{{ .Release.Name }}-api"}
  ports: [{port: 8008, targetPort: 8008}]
`)
	for values, want := range map[string]string{
		"reims-health: {peers: {enabled: null}}":                  "rel-mates",
		"reims-health: {enabled: false, peers: {enabled: null}}":  "rel-mates", // a library alone
		"reims-health: {enabled: false, peers: {enabled: true}}":  "rel-mates",
		"reims-health: {peers: {enabled: false}}":                 "",
		"reims-health: {enabled: false, peers: {enabled: false}}": "",
	} {
		file := filepath.Join(t.TempDir(), "values.yaml")
		write(t, file, values)
		for _, helm := range helms {
			i := installation{dir, file}
			objects := decode(t, i.render(t, helm, kubeVersions[1], "--set", "reims-health.migrations.mode=off"))
			if on := peersFindEachOther(t, objects); on != (want != "") {
				t.Errorf("%s: %s: peers are asked: %t", helm, values, on)
			}
			for _, o := range objects {
				if name := variable(sidecarOf(o), "HEALTH_PEERS").text("value"); name != want && o.text("kind") == "Deployment" {
					t.Errorf("%s: %s: HEALTH_PEERS is %q, want %q", helm, values, name, want)
				}
			}
		}
	}
}

// peersFindEachOther returns whether the sidecars of the Deployment ask each other, and holds
// that they can: the name is that of a Service with all of its Pods, at the port at which they
// answer, and every policy lets them.
func peersFindEachOther(t *testing.T, objects []object) bool {
	t.Helper()
	asked, deployed := "", false
	for _, d := range objects {
		sidecar := sidecarOf(d)
		if sidecar == nil {
			continue
		}
		deployed = true
		asked = variable(sidecar, "HEALTH_PEERS").text("value")
		if asked == "" {
			if variable(sidecar, "POD_IP") != nil {
				t.Error("POD_IP without HEALTH_PEERS")
			}
			continue
		}
		if field := variable(sidecar, "POD_IP").text("valueFrom", "fieldRef", "fieldPath"); field != "status.podIP" {
			t.Errorf("POD_IP is %q", field)
		}
		labels := d.child("spec", "template", "metadata", "labels")
		port := strings.TrimPrefix(variable(sidecar, "HEALTH_ADDR").text("value"), ":")
		headless := 0
		for _, o := range objects {
			switch {
			case o.text("kind") == "Service" && o.text("metadata", "name") == asked:
				headless++
				listsAllPods(t, o, labels, port)
			case o.text("kind") == "NetworkPolicy" && matches(selectorOf(o), labels):
				letsPeers(t, o, labels, port)
			}
		}
		if headless != 1 {
			t.Errorf("%d Services called %s", headless, asked)
		}
	}
	for _, o := range objects {
		if name := o.text("metadata", "name"); deployed && strings.HasSuffix(name, "-peers") && name != asked {
			t.Errorf("%s is made, and the sidecars ask %q", name, asked)
		}
	}
	return asked != ""
}

func listsAllPods(t *testing.T, service, labels object, port string) {
	t.Helper()
	spec := service.child("spec")
	if spec["clusterIP"] != "None" || spec["publishNotReadyAddresses"] != true || !matches(spec.child("selector"), labels) {
		t.Errorf("want a headless Service of all Pods with %v, ready or not: %v", labels, spec)
	}
	if ports := spec.list("ports"); len(ports) != 1 || fmt.Sprint(ports[0]["port"], ports[0]["targetPort"]) != port+" "+port {
		t.Errorf("want port %s: %v", port, ports)
	}
}

// letsPeers: one Pod must reach another, and the cluster's DNS.
func letsPeers(t *testing.T, policy, labels object, port string) {
	t.Helper()
	if !allowed(policy.list("spec", "ingress"), "from", labels, port) {
		t.Errorf("no peer is let in: %v", policy.at("spec", "ingress"))
	}
	if egress := policy.list("spec", "egress"); len(egress) > 0 && !allowed(egress, "to", labels, port) {
		t.Errorf("no peer is let out: %v", egress)
	}
}

func allowed(rules []object, side string, labels object, port string) bool {
	return slices.ContainsFunc(rules, func(rule object) bool {
		ports := slices.ContainsFunc(rule.list("ports"), func(p object) bool {
			return fmt.Sprint(p["port"]) == port && p.text("protocol") == "TCP"
		})
		return ports && (rule[side] == nil || slices.ContainsFunc(rule.list(side), func(p object) bool {
			return matches(p.child("podSelector", "matchLabels"), labels) && p["namespaceSelector"] == nil
		}))
	})
}

// sidecarOf returns the sidecar of a Deployment, and nil of anything else.
func sidecarOf(o object) object {
	if o.text("kind") != "Deployment" {
		return nil
	}
	for _, c := range containers(o.pod()) {
		if c.text("name") == "reims-health" {
			return c
		}
	}
	return nil
}

func variable(container object, name string) object {
	for _, env := range container.list("env") {
		if env.text("name") == name {
			return env
		}
	}
	return nil
}
