//go:build e2e

package cluster_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// late is when the database of TestJobMode comes: later than three attempts of the
// migrations with their connection timeout of 30 s, and before the Job's deadline.
const late = 150 * time.Second

// TestJobMode installs for a database that comes up long after the release: its Job
// tries until then, and the Pods wait for the schema, with a sidecar that says so.
func TestJobMode(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.set("migrations", map[string]any{"mode": "job"})
	i.stop(i.database)
	began := time.Now()
	i.run("install")
	i.pods.await(began, settle, "the Pod waits for the schema", waiting)
	i.says("database", "unhealthy")
	i.pause(time.Until(began.Add(late)))
	steps.holds(t, "no database yet: the Pod waits for the schema, its sidecar answers", i.pods.always(began, "Pods", func(pods []*corev1.Pod) bool {
		return !slices.ContainsFunc(app(pods), apiStarted)
	}))
	waits := i.kubectl("logs", app(i.pods.now())[0].Name, "--container", "wait-for-schema")
	said := strings.Count(waits, "refused") // again and again, not only at first
	steps.holds(t, "no database yet: wait --for=schema says why", finding{fmt.Sprintf("%d lines with the reason", said), said > 1})
	i.start(i.database)
	back := time.Now()
	steps.says(t, "PostgreSQL started, after the install", back.Sub(began).Round(time.Second).String())
	ready := i.pods.await(back, settle, "the Pod is ready", readyPods(1))
	steps.took(t, "PostgreSQL started: migrated by the Job, and Ready", ready.Sub(back), settle)
	i.overall("healthy")
}

// TestMissingSecret installs with the hook before the Secret of its passwords is there,
// and again once it is.
func TestMissingSecret(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.kubectl("delete", "secret", secretName)
	began := time.Now()
	out, err := i.try("install", "--wait", "--timeout", "3m")
	steps.holds(t, "missing Secret: helm install", exits(err, 1))
	steps.took(t, "missing Secret: helm install fails", time.Since(began), failsFast)
	t.Logf("helm install without the Secret:\n%s", out)
	steps.holds(t, "missing Secret: helm prints its name", found(out, secretName))
	described := i.kubectl("describe", "pods", "--selector", "job-name="+jobName)
	steps.holds(t, "missing Secret: kubectl describe names it", found(terminationMessage(described), secretName))

	i.create(secretOf(i.database, i.redis))
	took := timed(func() { i.run("upgrade", "--install", "--wait", "--timeout", "3m") })
	steps.took(t, "Secret created: helm upgrade --install --wait", took, installed)
	i.overall("healthy")
}

// failsFast is how long helm may take to fail for a reason that no time mends: a Pod
// for the hook's Job on a busy machine.
const failsFast = 45 * time.Second

// terminationMessage takes from kubectl's description of a Pod what its container said
// last.
func terminationMessage(described string) string {
	_, message, _ := strings.Cut(described, "Message:")
	message, _, _ = strings.Cut(message, "Exit Code:")
	return strings.TrimSpace(message)
}

// found finds whether a text has a part, and shows the part with what is around it.
func found(text, part string) finding {
	const around = 24
	at := strings.Index(text, part)
	if at < 0 {
		return finding{fmt.Sprintf("%q is not in %q", part, text), false}
	}
	excerpt := text[max(0, at-around):min(len(text), at+len(part)+around)]
	return finding{fmt.Sprintf("...%s...", strings.Join(strings.Fields(excerpt), " ")), true}
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
