//go:build e2e

package cluster_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestUpgrade changes the release under load, and holds what clients of the API lose
// against what they lose without the sidecar.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 2)
	control := i.rolloutWithoutSidecar(2)
	steps.says(t, "control: rolling update of the API alone", control.String())
	i.run("install", "--wait", "--timeout", "3m")
	before := i.database.version(t)
	l := startLoad(t, i.namespace, releaseName)

	i.set("image", imageValues("e2e-next"))
	i.rolls(l, control, "helm upgrade, with a new migration", func() { i.run("upgrade", "--wait", "--timeout", "3m") })
	i.hasSchema("helm upgrade", before+1)

	i.rolls(l, control, "helm rollback onto the newer schema", func() { i.run("rollback", "1", "--wait", "--timeout", "3m") })
	i.hasSchema("helm rollback", before+1)

	i.failingUpgrade(l)
	i.hasSchema("failing migration", before+1)
}

// rolls runs a step that replaces all Pods, under load.
func (i *installation) rolls(l *load, control seen, step string, do func()) {
	i.t.Helper()
	began := time.Now()
	old := app(i.pods.now())
	got := l.during(func() {
		took := timed(do)
		steps.took(i.t, step+": ready", took, installed)
		i.pods.await(began, installed+settle, "the old Pods are gone", replaced(old, 2))
	})
	i.t.Logf("%s: %s", step, got)
	steps.compare(i.t, step+": requests lost", float64(got.Lost), float64(control.Lost), "of "+strconv.Itoa(got.Sent))
}

// failingUpgrade is stopped by its migration, before any Pod is touched.
func (i *installation) failingUpgrade(l *load) {
	i.t.Helper()
	i.set("image", imageValues("e2e-failing"))
	began := time.Now()
	got := l.during(func() {
		out, err := i.try("upgrade", "--wait", "--timeout", "3m")
		if err == nil {
			i.t.Errorf("helm upgrade with a failing migration succeeded:\n%s", out)
		}
		steps.took(i.t, "helm upgrade with a failing migration: helm exits with an error", time.Since(began), 2*time.Minute)
	})
	i.t.Logf("failing upgrade: %s", got)
	steps.compare(i.t, "failing migration: requests lost", float64(got.Lost), 0, "of "+strconv.Itoa(got.Sent))
	i.failedOnce(began)
	i.neverEjected(began, "failing migration: the old Pods keep serving", 2)
}

// failedOnce shows that SQL that fails is tried once, and that kubectl describe says
// what failed.
func (i *installation) failedOnce(since time.Time) {
	i.t.Helper()
	tries := map[types.UID]bool{}
	states, _ := i.pods.since(since)
	for _, s := range states {
		for _, p := range s.sorted() {
			if p.Labels[batchv1.JobNameLabel] == jobName && !p.CreationTimestamp.Time.Before(since.Truncate(time.Second)) {
				tries[p.UID] = true
			}
		}
	}
	steps.holds(i.t, "failing migration: tried once", count(len(tries), 1, "Pods of the Job"))
	described := i.kubectl("describe", "pods", "--selector", "job-name="+jobName)
	steps.holds(i.t, "failing migration: kubectl describe says why", found(terminationMessage(described), "no_such_table"))
}

func (i *installation) hasSchema(after string, version int) {
	i.t.Helper()
	now := i.database.version(i.t)
	steps.holds(i.t, after+": version of the schema", finding{fmt.Sprintf("%d of %d", now, version), now == version})
}

// replaced returns a condition: n Pods are there and ready, and none of the old ones.
func replaced(old []*corev1.Pod, n int) func([]*corev1.Pod) bool {
	return func(pods []*corev1.Pod) bool { return readyPods(n)(pods) && !overlap(app(pods), old) }
}

// overlap tells whether a Pod is in both.
func overlap(a, b []*corev1.Pod) bool {
	for _, p := range a {
		for _, q := range b {
			if p.UID == q.UID {
				return true
			}
		}
	}
	return false
}
