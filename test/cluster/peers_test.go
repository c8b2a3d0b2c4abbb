//go:build e2e

package cluster_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/reims/reims-health/test/poll"
)

// fleetSize is how many Pods ask each other.
const fleetSize = 6

// timing is how a scenario's database is probed.
type timing struct{ interval, timeout time.Duration }

// confirmed is the longest from an outage to the service's being unhealthy.
func (c timing) confirmed() time.Duration { return c.interval*11/10 + 2*c.timeout + time.Second }

// ejected is the longest from the cut of one Pod's wire to the Pod's being NotReady, with
// no grace.
func (c timing) ejected() time.Duration {
	return c.confirmed() + c.interval*11/10 + c.timeout + 3*time.Second + probed
}

// undecided is how long the peers may take to tell whose an outage is.
func (c timing) undecided() time.Duration { return c.interval*11/10 + c.timeout + 2*time.Second }

// peers installs a release whose Pods ask each other, with no grace.
func peers(t *testing.T, c timing) *installation {
	t.Helper()
	i := prepared(begin(t), fleetSize)
	i.set("database", map[string]any{
		"readinessGrace": "0s", "probe": map[string]any{"interval": c.interval.String(), "timeout": c.timeout.String()},
	})
	i.set("reporting", map[string]any{"enabled": true})
	i.run("install", "--wait", "--timeout", "3m")
	i.endpoints.await(time.Now(), settle, "the Service has all Pods", serving(releaseName, fleetSize))
	// A sidecar that looked up the name before it had an address looks again after 5 s. Until
	// then it knows no peers, and a test that stops the API server keeps the name as it is.
	i.pause(6 * time.Second)
	return i
}

// TestPeers shows that an outage that all Pods share takes none of them out, and that a
// fault of one Pod takes that one out, with the chart's own timing.
func TestPeers(t *testing.T) {
	t.Parallel()
	c := timing{interval, timeout}
	i := peers(t, c)
	i.shared(c, 2*time.Minute)
	i.frozen(c)
	if !env.own {
		steps.notRun(t, "one Pod's way cut", "needs the node's processes")
		return
	}
	i.oneCut(c, "one Pod cut from PostgreSQL", "--protocol", "tcp", "--destination", i.database.Host(), "--dport", strconv.Itoa(i.database.Port()))
	i.oneCut(c, "one Pod cut from everything")
}

// shared stops PostgreSQL for a time in which no Pod may leave, and then kills a sidecar
// before it starts PostgreSQL again.
func (i *installation) shared(c timing, lasting time.Duration) {
	i.t.Helper()
	pods := app(i.pods.now())
	since, asked := readySince(pods), i.askDirectly(pods...)
	began := time.Now()
	i.stop(i.database)
	i.says("database", "unhealthy")
	i.scope("shared", pods...)
	i.overall("unhealthy") // it is honest all the same
	i.describedAsShared(began, pods)
	i.pause(time.Until(began.Add(lasting)))
	i.neverEjected(began, fmt.Sprintf("shared outage of %s: all Pods Ready all the time", lasting), fleetSize)
	steps.holds(i.t, fmt.Sprintf("shared outage of %s: not one Ready transition", lasting), i.transitions(since), asked())
	if env.own {
		i.killedInSharedOutage(c, pods[fleetSize-1])
	} else {
		steps.notRun(i.t, "sidecar killed in a shared outage", "needs the node's processes")
	}
	i.start(i.database)
	back := time.Now()
	_, seen := i.says("database", "healthy")
	steps.took(i.t, "shared outage: healthy again", seen.Sub(back), recovered+published)
	i.pause(probed)
	i.neverEjected(back, "shared outage: all Pods Ready all the way back", fleetSize)
}

// frozen stops PostgreSQL's processes, so that every check ends at its timeout. It has the
// chart's own timing: with a short one, a node that is short of processor time discards
// so many of those checks that the results become stale, which nothing holds.
func (i *installation) frozen(c timing) {
	i.t.Helper()
	began := time.Now()
	if err := i.database.Freeze(); err != nil {
		i.t.Fatal(err)
	}
	i.says("database", "unhealthy")
	i.scope("shared", app(i.pods.now())...)
	i.pause(c.undecided() + probed) // a wrong ejection would be seen by then
	if err := i.database.Thaw(); err != nil {
		i.t.Fatal(err)
	}
	i.says("database", "healthy")
	i.pause(probed)
	i.neverEjected(began, "PostgreSQL frozen for all: all Pods Ready all the time", fleetSize)
}

// describedAsShared shows that the condition, the Event and kubectl say whose the fault is.
func (i *installation) describedAsShared(began time.Time, pods []*corev1.Pod) {
	i.t.Helper()
	const shared = "(shared: " // all scopes tell what the peers see; this one alone begins so
	described := 0
	for _, p := range pods {
		i.pods.await(began, settle, "the condition of "+p.Name+" says shared", func(pods []*corev1.Pod) bool {
			return slices.ContainsFunc(pods, func(q *corev1.Pod) bool {
				return q.UID == p.UID && strings.Contains(condition(q, dependent).Message, shared)
			})
		})
		i.events.await(began, settle, "an Event on "+p.Name+" says shared", eventOn(p, began, "DependencyUnhealthy", shared))
		out := i.kubectl("describe", "pod", p.Name)
		if strings.Contains(strings.Join(strings.Fields(out), " "), shared) {
			described++
		} else {
			i.t.Logf("%q is not in the description of %s:\n%s", shared, p.Name, out)
		}
	}
	steps.holds(i.t, "shared outage: kubectl describe pod says shared", count(described, len(pods), "Pods"))
}

// killedInSharedOutage kills one sidecar in an outage of all, and shows that its Pod comes
// back and stays Ready while the outage lasts, and that no other leaves.
func (i *installation) killedInSharedOutage(c timing, pod *corev1.Pod) {
	i.t.Helper()
	const step = "sidecar killed in a shared outage: "
	before := totalRestarts(i.pods.now())
	began := i.signal(pod, syscall.SIGKILL)
	gone := i.ejection(began, settle, pod)
	back := i.pods.await(gone, settle, pod.Name+" is ready again", readyPods(fleetSize))
	steps.took(i.t, step+"out of service for", back.Sub(gone), restart)
	i.says("database", "unhealthy")
	i.scope("shared", pod)
	asked := i.askDirectly(pod)
	i.pause(c.ejected()) // one that had forgotten what was proven would leave by then
	steps.holds(i.t, step+"one restart, and the Pod Ready for the rest of the outage",
		count(totalRestarts(i.pods.now())-before, 1, "restarts"), i.pods.always(back, fmt.Sprintf("%d Ready", fleetSize), readyPods(fleetSize)), asked())
	steps.holds(i.t, step+"no other Pod leaves", i.othersReady(began, pod))
}

// scope waits until each of the Pods says whose the database's fault is.
func (i *installation) scope(want string, pods ...*corev1.Pod) {
	i.t.Helper()
	for _, p := range pods {
		poll.Within(i.t, settle, p.Name+" says that the fault is "+want, func() bool {
			return i.scopeOf(p) == want
		})
	}
}

func (i *installation) scopeOf(p *corev1.Pod) string {
	_, body, err := kube.fromPod(i.t.Context(), p, healthPort, "/health/database")
	if err != nil {
		return ""
	}
	var answer struct {
		Details struct {
			Scope string `json:"fault_scope"`
		}
	}
	_ = json.Unmarshal(body, &answer) // what is none says nothing
	return answer.Details.Scope
}

// oneCut drops what one Pod sends, all of it or what the match says, and shows that just
// this Pod leaves, in time, and comes back.
func (i *installation) oneCut(c timing, step string, match ...string) {
	i.t.Helper()
	began := time.Now()
	pod := app(i.pods.now())[0]
	restore := i.cut(pod, "DROP", match...)
	gone := i.ejection(began, c.ejected()+settle, pod)
	steps.took(i.t, step+": NotReady", gone.Sub(began), c.ejected())
	i.pause(c.ejected())
	restore()
	restored := time.Now()
	back := i.pods.await(restored, settle, pod.Name+" is ready again", readyPods(fleetSize))
	steps.took(i.t, step+": Ready again", back.Sub(restored), c.interval*11/10+c.timeout+probed+published)
	steps.holds(i.t, step+": no other Pod leaves", i.othersReady(began, pod))
	i.endpoints.await(back, settle, "the Service has all Pods again", serving(releaseName, fleetSize))
}

// cut rejects or drops what a Pod sends, in its own network, until restore.
func (i *installation) cut(pod *corev1.Pod, verdict string, match ...string) (restore func()) {
	i.t.Helper()
	pid, err := process(container(pod, sidecarName))
	if err != nil {
		i.t.Fatal(err)
	}
	rule := func(verb string) {
		i.t.Helper()
		line := append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", pid), "--", "iptables", "--wait", verb, "OUTPUT"}, match...)
		if out, err := exec.Command("nsenter", append(line, "--jump", verdict)...).CombinedOutput(); err != nil {
			i.t.Fatalf("iptables %s: %v: %s", verb, err, out)
		}
	}
	rule("--append")
	return func() { i.t.Helper(); rule("--delete") }
}

// ejection returns when all of the Pods were seen NotReady.
func (i *installation) ejection(from time.Time, limit time.Duration, pods ...*corev1.Pod) (last time.Time) {
	i.t.Helper()
	for _, pod := range pods {
		at := i.pods.await(from, limit, pod.Name+" is not ready", func(all []*corev1.Pod) bool {
			return slices.ContainsFunc(all, func(p *corev1.Pod) bool { return p.UID == pod.UID && !isReady(p) })
		})
		last = later(last, at)
	}
	return last
}

// othersReady finds whether all Pods but these were Ready all the time.
func (i *installation) othersReady(from time.Time, but ...*corev1.Pod) finding {
	cut := map[types.UID]bool{}
	for _, p := range but {
		cut[p.UID] = true
	}
	return i.pods.always(from, fmt.Sprintf("%d others Ready", fleetSize-len(but)), func(pods []*corev1.Pod) bool {
		ready := 0
		for _, p := range app(pods) {
			if !cut[p.UID] && isReady(p) {
				ready++
			}
		}
		return ready == fleetSize-len(but)
	})
}

// TestPeersWithoutAPIServer stops the API server during an outage. It is not parallel: the
// other scenarios need it.
func TestPeersWithoutAPIServer(t *testing.T) {
	if env.apiServer == 0 {
		steps.notRun(t, "API server stopped in an outage", "needs the node's processes")
		return
	}
	i := peers(t, timing{time.Second, time.Second})
	pods := app(i.pods.now())
	since, asked := readySince(pods), i.askDirectly(pods...)
	began := time.Now()
	i.stop(i.database)
	i.says("database", "unhealthy")
	i.signalAPIServer(syscall.SIGSTOP)
	i.pause(20 * time.Second)
	i.signalAPIServer(syscall.SIGCONT)
	i.scope("shared", pods...)
	i.pause(2 * probed) // for what the kubelet has to tell
	i.start(i.database)
	i.says("database", "healthy")
	i.neverEjected(began, "API server stopped in a shared outage: all Pods Ready all the time", fleetSize)
	steps.holds(t, "API server stopped in a shared outage: not one Ready transition", i.transitions(since), asked())
}

func (i *installation) signalAPIServer(signal syscall.Signal) {
	i.t.Helper()
	if err := syscall.Kill(env.apiServer, signal); err != nil {
		i.t.Fatal(err)
	}
	if signal == syscall.SIGSTOP {
		i.t.Cleanup(func() { _ = syscall.Kill(env.apiServer, syscall.SIGCONT) })
	}
}

// defaultOutages is how many TestOutagesOfPeers has; E2E_OUTAGES is another number. Two of
// three are cuts of one Pod.
const defaultOutages = 20

// TestOutagesOfPeers goes through outages of random kinds under load, and counts the
// decisions that are wrong. Two of three are cuts of one Pod's way to PostgreSQL.
func TestOutagesOfPeers(t *testing.T) {
	t.Parallel()
	if !env.own {
		steps.notRun(t, "outages of random kinds", "needs the node's processes")
		return
	}
	outages, err := strconv.Atoi(cmp.Or(os.Getenv("E2E_OUTAGES"), strconv.Itoa(defaultOutages)))
	if err != nil {
		t.Fatalf("E2E_OUTAGES: %v", err)
	}
	c := timing{time.Second, time.Second}
	i := peers(t, c)
	load := startLoad(t, i.namespace, releaseName)
	var took []time.Duration
	wrong := 0
	lost := load.during(func() {
		for n := range outages {
			d, ok := i.randomOutage(c, n)
			if !ok {
				wrong++
			}
			if d > 0 {
				took = append(took, d)
			}
		}
	})
	steps.holds(t, fmt.Sprintf("%d outages of random kinds under load: wrong decisions", outages), count(wrong, 0, "wrong"))
	steps.says(t, "outages of random kinds: the load", lost.String())
	if len(took) > 0 {
		slices.Sort(took)
		at := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() }
		steps.says(t, fmt.Sprintf("one Pod cut, %d trials: NotReady after", len(took)),
			fmt.Sprintf("%.1f s least, %.1f s median, %.1f s at 90 %%, %.1f s most", at(0), at(0.5), at(0.9), at(1)))
		steps.took(t, "one Pod cut: NotReady, the longest of all trials", took[len(took)-1], c.ejected())
	}
}

// randomOutage breaks something, waits for what must come of it, and repairs it. It returns
// how long a single Pod that was cut off took to leave.
func (i *installation) randomOutage(c timing, n int) (took time.Duration, ok bool) {
	i.t.Helper()
	began := time.Now()
	pods := app(i.pods.now())
	rand.Shuffle(len(pods), func(a, b int) { pods[a], pods[b] = pods[b], pods[a] })
	verdict := []string{"DROP", "REJECT"}[rand.IntN(2)]
	wire := []string{"--protocol", "tcp", "--destination", i.database.Host(), "--dport", strconv.Itoa(i.database.Port())}
	var cut []*corev1.Pod
	var repair []func()
	var kind string
	switch {
	case n%3 != 2:
		kind, cut = "one Pod cut off by "+verdict, pods[:1]
	case n%6 == 2:
		kind = "PostgreSQL stopped"
		i.stop(i.database)
		repair = append(repair, func() { i.start(i.database) })
	default:
		kind, cut = "two Pods cut off by "+verdict, pods[:2]
	}
	for _, p := range cut {
		repair = append(repair, i.cut(p, verdict, wire...))
	}
	if len(cut) > 0 {
		gone := i.ejection(began, c.ejected()+settle, cut...)
		if len(cut) == 1 {
			took = gone.Sub(began)
		}
		i.pause(c.interval)
	} else {
		i.says("database", "unhealthy")
		i.scope("shared", pods...)
		i.pause(c.undecided() + probed) // a wrong ejection would be seen by then
	}
	for _, r := range repair {
		r()
	}
	repaired := time.Now()
	i.pods.await(repaired, settle, "all Pods are ready again", readyPods(fleetSize))
	i.says("database", "healthy")
	i.endpoints.await(repaired, settle, "the Service has all Pods again", serving(releaseName, fleetSize))
	found := i.othersReady(began, cut...)
	i.t.Logf("outage %d: %s: %s", n+1, kind, found.measured)
	return took, found.ok
}
