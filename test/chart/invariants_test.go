package chart_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What holds in every installation.
func TestInvariants(t *testing.T) {
	t.Parallel()
	for _, i := range installations(t) {
		t.Run(i.String(), func(t *testing.T) {
			t.Parallel()
			objects := decode(t, i.render(t, "helm4", kubeVersions[1]))
			for _, o := range objects {
				noSecrets(t, o)
				numericPorts(t, o)
				if pod := o.pod(); pod != nil {
					hardenedPod(t, o.text("kind"), pod)
				}
			}
			onlyPodsOfTheAPIAreSelected(t, objects)
			serviceAccountsAreThere(t, objects)
			if filepath.Base(i.chart) == "reims-health-fleet" {
				runsTheFleetProgram(t, objects)
				return
			}
			oneSidecar(t, objects)
			peersFindEachOther(t, objects)
		})
	}
}

// noSecrets: none is made, copied into a variable, or mounted so that it stays old.
func noSecrets(t *testing.T, o object) {
	t.Helper()
	if o.text("kind") == "Secret" {
		t.Errorf("a Secret is rendered: %s", o.text("metadata", "name"))
	}
	walk("", o, func(_ string, part object) {
		for _, key := range []string{"secretKeyRef", "subPath"} {
			if part[key] != nil {
				t.Errorf("%s: %s: %v", o.text("kind"), key, part[key])
			}
		}
	})
}

func numericPorts(t *testing.T, o object) {
	t.Helper()
	probes := []string{"httpGet", "tcpSocket", "grpc"}
	walk("", o, func(key string, part object) {
		if o.text("kind") == "ServiceMonitor" && key == "endpoints" {
			return // its port is one of a Service, and has no other way to be named
		}
		for _, field := range []string{"port", "targetPort", "portNumber"} {
			if _, isText := part[field].(string); isText {
				t.Errorf("%s: %s: %s is a name: %v", o.text("kind"), key, field, part[field])
			}
		}
		if _, ok := part["port"].(int); slices.Contains(probes, key) && !ok {
			t.Errorf("%s: %s has no port: %v", o.text("kind"), key, part)
		}
	})
}

func hardenedPod(t *testing.T, kind string, pod object) {
	t.Helper()
	spec := pod.child("spec")
	if spec["automountServiceAccountToken"] != false || spec["enableServiceLinks"] != false {
		t.Errorf("%s: a token or service links: %v, %v", kind, spec["automountServiceAccountToken"], spec["enableServiceLinks"])
	}
	for _, c := range containers(pod) {
		seen := make(map[string]bool)
		for _, env := range c.list("env") {
			if name := env.text("name"); seen[name] {
				t.Errorf("%s: %s: %s is set twice", kind, c.text("name"), name)
			} else {
				seen[name] = true
			}
		}
		if strings.Contains(c.text("image"), "reims/reims-health") {
			hardenedContainer(t, c)
			continue
		}
		for _, mount := range c.list("volumeMounts") {
			if strings.HasPrefix(mount.text("name"), "reims-health-") {
				t.Errorf("%s mounts %s, which is the sidecar's", c.text("name"), mount.text("name"))
			}
		}
	}
}

// hardenedContainer is one of ours.
func hardenedContainer(t *testing.T, c object) {
	t.Helper()
	want := object{
		"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
		"capabilities": object{"drop": []any{"ALL"}}, "seccompProfile": object{"type": "RuntimeDefault"},
	}
	if diff := cmp.Diff(want, c.child("securityContext")); diff != "" {
		t.Errorf("%s: %s", c.text("name"), diff)
	}
	if c.at("resources", "limits", "memory") == nil || c.at("resources", "requests", "cpu") == nil || c.at("resources", "limits", "cpu") != nil {
		t.Errorf("%s: want requests, a memory limit and no CPU limit: %v", c.text("name"), c["resources"])
	}
	if policy := c.text("terminationMessagePolicy"); policy != "FallbackToLogsOnError" {
		t.Errorf("%s: terminationMessagePolicy %q: kubectl describe would show an exit code and no reason", c.text("name"), policy)
	}
	for _, probe := range []string{"startupProbe", "livenessProbe"} {
		if c[probe] != nil && c.at(probe, "terminationGracePeriodSeconds") != 5 {
			t.Errorf("%s: %s: a frozen process would be killed only after the Pod's grace: %v", c.text("name"), probe, c[probe])
		}
	}
}

// onlyPodsOfTheAPIAreSelected: a migration that gets traffic, or a budget that counts it,
// is an outage.
func onlyPodsOfTheAPIAreSelected(t *testing.T, objects []object) {
	t.Helper()
	for _, o := range objects {
		selector := selectorOf(o)
		if selector == nil {
			continue
		}
		for _, other := range objects {
			pod := other.pod()
			if pod == nil {
				continue
			}
			labels := pod.child("metadata", "labels")
			if kind := other.text("kind"); matches(selector, labels) != (kind == "Deployment") {
				t.Errorf("%s %s and the Pods of %s: selected: %t", o.text("kind"), o.text("metadata", "name"), kind, kind != "Deployment")
			}
		}
	}
}

// serviceAccountsAreThere: no Pod is admitted whose ServiceAccount nobody makes.
func serviceAccountsAreThere(t *testing.T, objects []object) {
	t.Helper()
	made := map[string]bool{"": true, "default": true}
	for _, o := range objects {
		if o.text("kind") == "ServiceAccount" {
			made[o.text("metadata", "name")] = true
		}
	}
	for _, o := range objects {
		names := []string{o.pod().text("spec", "serviceAccountName")}
		for _, subject := range o.list("subjects") {
			names = append(names, subject.text("name"))
		}
		for _, name := range names {
			if !made[name] {
				t.Errorf("%s %s: nobody makes the ServiceAccount %s", o.text("kind"), o.text("metadata", "name"), name)
			}
		}
	}
}

// oneSidecar: among the init containers only as a native one, or the Pod would hang.
func oneSidecar(t *testing.T, objects []object) {
	t.Helper()
	for _, o := range objects {
		if o.text("kind") != "Deployment" {
			continue
		}
		count := 0
		for _, list := range []string{"initContainers", "containers"} {
			for _, c := range o.pod().list("spec", list) {
				if c.text("name") != "reims-health" {
					continue
				}
				count++
				if native := c.text("restartPolicy") == "Always"; native != (list == "initContainers") {
					t.Errorf("%s: restartPolicy %q in %s", o.text("metadata", "name"), c.text("restartPolicy"), list)
				}
			}
		}
		if count != 1 {
			t.Errorf("%s: %d sidecars", o.text("metadata", "name"), count)
		}
	}
}

func selectorOf(o object) object {
	switch o.text("kind") {
	case "Service":
		return o.child("spec", "selector")
	case "Deployment", "PodDisruptionBudget", "PodMonitor":
		return o.child("spec", "selector", "matchLabels")
	case "NetworkPolicy":
		return o.child("spec", "podSelector", "matchLabels")
	default:
		return nil
	}
}

func matches(selector, labels object) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
