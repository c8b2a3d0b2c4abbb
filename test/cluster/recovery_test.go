//go:build e2e

package cluster_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// synced is how long a changed Secret or ConfigMap takes to reach a container: our
// kubelet looks every 10 s and others every minute, and half as long again.
func synced() time.Duration {
	if env.own {
		return 15 * time.Second
	}
	return 90 * time.Second
}

// looked is how long the sidecar takes to see the break-glass file change, and the
// kubelet to write it once it looked.
const looked = time.Second + published

// shortGrace spares two of these scenarios half a minute each; TestOutage has the
// chart's default.
const shortGrace = time.Second

// TestRecovery shows what one Pod comes back from by itself, or by its operator's hand,
// with no rollout.
func TestRecovery(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.set("database", map[string]any{"readinessGrace": shortGrace.String()})
	i.run("install", "--wait", "--timeout", "3m")
	steps.says(t, "DATABASE_READINESS_GRACE of this scenario", shortGrace.String())
	i.rotation()
	i.breakGlass()
	if !env.own {
		steps.notRun(t, "sidecar killed", "needs the node's processes")
		return
	}
	i.killed("sidecar killed")
}

// rotation changes the sidecar's password on the server, then in the Secret.
func (i *installation) rotation() {
	i.t.Helper()
	began := time.Now()
	i.database.rotate(i.t)
	i.says("database", "degraded") // auth, once proven: the fault may be ours alone
	secret := secretOf(i.database, i.redis)
	secret.Namespace = i.namespace
	if err := kube.Update(i.t.Context(), secret); err != nil {
		i.t.Fatal(err)
	}
	changed := time.Now()
	_, back := i.says("database", "healthy")
	steps.took(i.t, "password rotated: healthy, after the Secret was changed", back.Sub(changed), synced()+recovered+published)
	i.neverEjected(began, "password rotated: Ready all the time, no restart", 1)
}

// breakGlass forces the Pod Ready while its database is down.
func (i *installation) breakGlass() {
	i.t.Helper()
	began := time.Now()
	i.stop(i.database)
	bound := verdict + shortGrace + probed
	gone := i.pods.await(began, bound+settle, "the Pod is not ready", notReady)
	steps.took(i.t, "PostgreSQL stopped: NotReady", gone.Sub(began), bound)

	const configMap = releaseName + "-break-glass"
	i.kubectl("create", "configmap", configMap, "--from-literal=readiness=ready")
	made := time.Now()
	forced := i.pods.await(made, 2*synced()+settle, "break-glass makes the Pod ready", readyPods(1))
	steps.took(i.t, "break-glass ready: Ready in the outage", forced.Sub(made), synced()+looked+probed)
	i.overall("unhealthy") // it is honest all the same
	i.kubectl("delete", "configmap", configMap)
	deleted := time.Now()
	gone = i.pods.await(deleted, 2*synced()+settle, "the Pod is not ready without break-glass", notReady)
	steps.took(i.t, "break-glass taken back: NotReady", gone.Sub(deleted), synced()+looked+probed)
	i.start(i.database)
	i.pods.await(time.Now(), settle, "the Pod is ready again", readyPods(1))
	steps.holds(i.t, "break-glass: no rollout and no restart", i.undisturbed(began))
}

// notReady tells that the one Pod of the API is not.
func notReady(pods []*corev1.Pod) bool { return len(app(pods)) == 1 && !isReady(app(pods)[0]) }
