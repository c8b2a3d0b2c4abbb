//go:build e2e

package cluster_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
)

// TestUnanswered shows what becomes of a Pod when something holds its connections and
// does not answer: a locked table, PostgreSQL, the sidecar itself.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 1)
	i.set("database", map[string]any{"readinessGrace": shortGrace.String()})
	i.run("install", "--wait", "--timeout", "3m")
	i.lockedVersionTable()
	i.frozenDatabase()
	i.frozenSidecar()
}

// lockedVersionTable takes the lock that VACUUM FULL takes too.
func (i *installation) lockedVersionTable() {
	i.t.Helper()
	began := time.Now()
	unlock := i.database.lock(i.t, "goose_db_version")
	_, seen := i.says("database", "degraded")
	// A version that suffices is read every 30 s.
	steps.took(i.t, "version table locked: degraded", seen.Sub(began), 30*time.Second+verdict+published)
	i.pause(time.Until(seen.Add(verdict + shortGrace + probed))) // when an outage takes the Pod out
	i.neverEjected(began, "version table locked: Ready all the time", 1)
	unlock()
	unlocked := time.Now()
	_, seen = i.says("database", "healthy")
	steps.took(i.t, "version table unlocked: healthy", seen.Sub(unlocked), recovered+published)
}

// lock locks a table against everything, until unlock.
func (d *database) lock(t testing.TB, table string) (unlock func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		t.Fatal(err)
	}
	unlock = func() {
		if err := conn.Close(ctx); err != nil { // with its transaction
			t.Error(err)
		}
	}
	t.Cleanup(unlock)
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// frozenDatabase stops PostgreSQL's processes: the kernel still takes connections.
func (i *installation) frozenDatabase() {
	i.t.Helper()
	began := time.Now()
	if err := i.database.Freeze(); err != nil {
		i.t.Fatal(err)
	}
	bound := verdict + shortGrace + probed
	gone := i.pods.await(began, bound+settle, "the Pod is not ready", notReady)
	steps.took(i.t, "PostgreSQL frozen: NotReady", gone.Sub(began), bound)
	i.overall("unhealthy")
	if err := i.database.Thaw(); err != nil {
		i.t.Fatal(err)
	}
	thawed := time.Now()
	back := i.endpoints.await(thawed, settle, "the Service has the Pod again", serving(releaseName, 1))
	steps.took(i.t, "PostgreSQL thawed: in the EndpointSlice", back.Sub(thawed), recovered+probed+published)
	steps.holds(i.t, "PostgreSQL frozen and thawed: no restart of the sidecar or the API", i.undisturbed(began))
}

// What the chart's liveness probe of the sidecar takes to give up on it, in the worst
// case: every 10 s, three times, 5 s to answer.
const givenUp = 3*10*time.Second + 5*time.Second

// frozenSidecar stops the sidecar's process, which then answers no probe and does not
// end on SIGTERM.
func (i *installation) frozenSidecar() {
	i.t.Helper()
	if !env.own {
		steps.notRun(i.t, "sidecar frozen", "needs the node's processes")
		return
	}
	pod := app(i.pods.now())[0]
	grace := sidecarOf(pod).LivenessProbe.TerminationGracePeriodSeconds
	if grace == nil {
		i.t.Fatal("the sidecar's liveness probe has no terminationGracePeriodSeconds: the Pod's is for the API's requests")
	}
	began := i.signal(pod, syscall.SIGSTOP)
	gone := i.pods.await(began, probed+settle, "the frozen sidecar is noticed", notReady)
	steps.took(i.t, "sidecar frozen: NotReady", gone.Sub(began), probed+published)
	bound := givenUp + time.Duration(*grace)*time.Second + restart
	back := i.pods.await(gone, bound+settle, "the Pod is ready again", readyPods(1))
	steps.took(i.t, "sidecar frozen: out of service for", back.Sub(gone), bound)
	steps.holds(i.t, "sidecar frozen: one restart of it, none of the API", i.restarted(pod, 1, 0))
}

// signal sends a signal to the sidecar's process, and returns when that was.
func (i *installation) signal(pod *corev1.Pod, signal syscall.Signal) time.Time {
	i.t.Helper()
	pid, err := process(container(pod, sidecarName))
	if err != nil {
		i.t.Fatal(err)
	}
	began := time.Now()
	if err := syscall.Kill(pid, signal); err != nil {
		i.t.Fatal(err)
	}
	return began
}
