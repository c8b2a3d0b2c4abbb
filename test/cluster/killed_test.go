//go:build e2e

package cluster_test

import (
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// restart is how long a killed sidecar may keep its Pod out of the Service.
const restart = 15 * time.Second

// killed ends the sidecar's process as the kernel does when memory is short, and shows
// that the Pod is Ready again soon. It returns when that was.
func (i *installation) killed(step string) (back time.Time) {
	i.t.Helper()
	pod := app(i.pods.now())[0]
	began := i.signal(pod, syscall.SIGKILL)
	gone := i.pods.await(began, settle, "the kill is noticed", notReady)
	back = i.pods.await(gone, settle, "the Pod is ready again", readyPods(1))
	steps.took(i.t, step+": out of service for", back.Sub(gone), restart)
	steps.holds(i.t, step+": one restart of it, none of the API", i.restarted(pod, 1, 0))
	return back
}

// TestKilledInGrace kills the sidecar while the grace keeps the Pod Ready in an outage:
// the grace goes on, and does not begin again.
func TestKilledInGrace(t *testing.T) {
	t.Parallel()
	const (
		long   = 60 * time.Second
		killAt = 30 * time.Second
	)
	i := prepared(begin(t), 1)
	i.set("database", map[string]any{"readinessGrace": long.String()})
	if !env.own {
		steps.notRun(t, "sidecar killed in the grace", "needs the node's processes")
		return
	}
	i.run("install", "--wait", "--timeout", "3m")
	began := time.Now()
	i.stop(i.database)
	i.says("database", "unhealthy")
	i.pause(time.Until(began.Add(killAt)))
	back := i.killed("sidecar killed in the grace")
	bound := verdict + long + probed
	gone := i.pods.await(back, bound+settle, "the Pod is not ready", notReady)
	steps.took(t, "sidecar killed in the grace: NotReady, after PostgreSQL stopped", gone.Sub(began), bound)
	steps.holds(t, "sidecar killed in the grace: Ready until the grace has passed", atLeast(gone.Sub(began), long))
	i.start(i.database)
	i.pods.await(time.Now(), settle, "the Pod is ready with PostgreSQL", readyPods(1))
}

// TestKilledAfterStartup kills the sidecar in an outage that never takes a Pod out once
// it has started: the Pod comes back. A new Pod does not, because it never saw
// PostgreSQL.
func TestKilledAfterStartup(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.set("database", map[string]any{"readiness": "startup"})
	if !env.own {
		steps.notRun(t, "sidecar killed, readiness startup", "needs the node's processes")
		return
	}
	i.run("install", "--wait", "--timeout", "3m")
	i.stop(i.database)
	i.says("database", "unhealthy")
	back := i.killed("sidecar killed, readiness startup")
	i.says("database", "unhealthy")
	i.pause(verdict) // a sidecar that had forgotten would say not_ready by then
	i.neverEjected(back.Add(published), "sidecar killed, readiness startup: Ready for the rest of the outage", 1)

	old := app(i.pods.now())
	i.kubectl("delete", "pod", old[0].Name, "--wait=false")
	began := time.Now()
	i.pods.await(began, 2*settle, "a new Pod takes its place", func(pods []*corev1.Pod) bool {
		return len(app(pods)) == 1 && !overlap(app(pods), old)
	})
	i.says("database", "unhealthy")
	i.pause(probed)
	steps.holds(t, "new Pod in the outage, readiness startup: not Ready", i.pods.always(began, "Pods", func(pods []*corev1.Pod) bool {
		return !readyPods(1)(pods) || overlap(app(pods), old)
	}))
	i.start(i.database)
	started := time.Now()
	ready := i.pods.await(started, settle, "the new Pod is ready", readyPods(1))
	steps.took(t, "new Pod, PostgreSQL started: Ready", ready.Sub(started), recovered+probed+published)
}
