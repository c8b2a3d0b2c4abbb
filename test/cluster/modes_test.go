//go:build e2e

package cluster_test

import (
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestJobMode installs for a database that comes up after the release: its Job waits
// for the server, and the Pods for the schema, with a sidecar that says so.
func TestJobMode(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.set("migrations", map[string]any{"mode": "job"})
	i.stop(i.database)
	began := time.Now()
	i.run("install")
	i.pods.await(began, settle, "the Pod waits for the schema", waiting)
	i.says("database", "unhealthy")
	steps.holds(t, "no database yet: the Pod waits for the schema, its sidecar answers", i.pods.always(began, "Pods", func(pods []*corev1.Pod) bool {
		return !slices.ContainsFunc(app(pods), apiStarted)
	}))
	i.start(i.database)
	back := time.Now()
	ready := i.pods.await(back, settle, "the Pod is ready", readyPods(1))
	steps.took(t, "PostgreSQL started: migrated by the Job, and Ready", ready.Sub(back), settle)
	i.overall("healthy")
}

func waiting(pods []*corev1.Pod) bool {
	return slices.ContainsFunc(app(pods), func(p *corev1.Pod) bool {
		return container(p, "wait-for-schema").State.Running != nil
	})
}

func apiStarted(p *corev1.Pod) bool { return container(p, apiName).State.Running != nil }

// TestExampleChart installs the sidecar from an application's own chart.
func TestExampleChart(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	charts := t.TempDir()
	if err := os.CopyFS(charts, os.DirFS("../../charts")); err != nil {
		t.Fatal(err)
	}
	i.chart, i.name = charts+"/example-api", "example"
	sidecar := i.values
	delete(sidecar, "deployment")
	sidecar["api"] = map[string]any{"enabled": false}
	i.values = map[string]any{
		"image": env.apiImage, "probePath": "/healthz", "replicas": 1, "reims-health": sidecar,
	}
	i.dependencies()
	began := time.Now()
	took := timed(func() { i.run("install", "--wait", "--timeout", "3m") })
	steps.took(t, "an application's own chart: helm install --wait", took, installed)
	i.pods.await(began, settle, "the Pod is ready", readyPods(1))
	i.endpoints.await(began, settle, "the Service has the Pod", serving("example-api", 1))
	i.overall("healthy")
	i.pods.await(began, settle, "the condition is true", tells(1, "DependenciesHealthy"))
}

// TestHelm4 takes a release through its life with Helm 4, which applies on the server
// and watches in its own way; the sidecar is a container beside the API.
func TestHelm4(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.helm = env.helm4
	i.set("sidecar", map[string]any{"mode": "container"})
	for _, step := range [][]string{
		{"install", "--wait", "--timeout", "3m"},
		{"upgrade", "--wait", "--timeout", "3m", "--set", "sidecar.logLevel=debug"},
		{"rollback", "1", "--wait", "--timeout", "3m"},
	} {
		began, old := time.Now(), app(i.pods.now())
		took := timed(func() { i.run(step[0], step[1:]...) })
		steps.took(t, "Helm 4, sidecar as a container: helm "+step[0]+" --wait", took, installed)
		i.pods.await(began, installed+settle, "another Pod is ready, and the old one gone", replaced(old, 1))
	}
	i.overall("healthy")
	took := timed(func() { i.run("uninstall", "--wait", "--timeout", "2m") })
	steps.took(t, "Helm 4: helm uninstall --wait", took, 2*time.Minute)
}
