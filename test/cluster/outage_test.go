//go:build e2e

package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/reims/reims-health/test/servers"
)

// What the documentation promises with the chart's defaults.
const (
	interval = 5 * time.Second
	timeout  = 2 * time.Second
	// verdict is the longest from an outage to the service's being unhealthy.
	verdict = interval*11/10 + 2*timeout + time.Second
	grace   = 30 * time.Second
	// kubelet's probe: every 2 s, twice, 1 s to answer.
	probed = 2*2*time.Second + time.Second
	// published is how long an endpoint's change takes to be seen, and our own look at each
	// Pod, while a dozen scenarios share two processors.
	published = 6 * time.Second
	// recovered is the longest from a server's being back to its being healthy.
	recovered = interval*11/10 + timeout
	// reported is how long the condition and the Event may take after that.
	reported  = 5 * time.Second
	dependent = corev1.PodConditionType("reims.io/DependenciesHealthy")
)

// TestOutage takes a release with the chart's own timing, two replicas, reporting and no
// peers through its life: install, failover, outage, uninstall.
func TestOutage(t *testing.T) {
	t.Parallel()
	i := prepared(begin(t), 2)
	i.set("peers", map[string]any{"enabled": false}) // TestPeers has them
	i.set("reporting", map[string]any{"enabled": true})
	i.installAfterMigration()
	i.helmTest()
	i.execCheck()
	i.idle()
	before := i.used(time.Time{})
	i.redisOutage()
	i.failover(15 * time.Second)
	i.outage()
	i.footprint(before)
	i.withoutRights()
	i.uninstall()
}

func (i *installation) redisOutage() {
	i.t.Helper()
	began := time.Now()
	i.stop(i.redis)
	_, seen := i.says("redis", "unhealthy")
	steps.took(i.t, "Redis stopped: seen by both Pods", seen.Sub(began), verdict+published)
	i.overall("degraded")
	i.start(i.redis)
	i.says("redis", "healthy")
	i.neverEjected(began, "Redis stopped: degraded, and both Pods Ready all the time", 2)
}

// failover is an outage shorter than the grace.
func (i *installation) failover(lasting time.Duration) {
	i.t.Helper()
	step := fmt.Sprintf("failover of %s: ", lasting)
	began := time.Now()
	i.stop(i.database)
	i.says("database", "unhealthy")
	i.pods.await(began, lasting+settle, "the condition is false", tells(2, "DatabaseRefused"))
	i.pause(time.Until(began.Add(lasting)))
	i.start(i.database)
	back := time.Now()
	_, seen := i.says("database", "healthy")
	steps.took(i.t, step+"healthy again", seen.Sub(back), recovered+published)
	told := i.pods.await(seen, settle, "the condition is true again", tells(2, "DependenciesHealthy"))
	steps.took(i.t, step+"condition of both Pods, after that", told.Sub(seen), reported)
	for _, p := range app(i.pods.now()) {
		i.events.await(back, settle, "an Event on "+p.Name, eventOn(p, back, "DependencyHealthy", "database"))
	}
	i.neverEjected(began, step+"both Pods Ready all the time", 2)
}

// outage is one that outlasts the grace.
func (i *installation) outage() {
	i.t.Helper()
	began := time.Now()
	i.stop(i.database)
	each, seen := i.says("database", "unhealthy")
	steps.took(i.t, "PostgreSQL stopped: seen by both Pods", seen.Sub(began), verdict+published)
	i.toldOf(began, each)
	i.described()
	bound := verdict + grace + probed
	gone := i.pods.await(began, bound+settle, "no Pod is Ready", func(pods []*corev1.Pod) bool {
		return !slices.ContainsFunc(app(pods), isReady)
	})
	steps.took(i.t, "PostgreSQL stopped: no Pod Ready", gone.Sub(began), bound)
	gone = i.endpoints.await(began, bound+settle, "the Service is empty", serving(releaseName, 0))
	steps.took(i.t, "PostgreSQL stopped: out of the EndpointSlice", gone.Sub(began), bound+published)
	i.evictable()
	i.wrote(began, "PostgreSQL stopped")
	i.start(i.database)
	back := time.Now()
	again := i.endpoints.await(back, settle, "the Service has all Pods again", serving(releaseName, 2))
	steps.took(i.t, "PostgreSQL started: in the EndpointSlice", again.Sub(back), recovered+probed+published)
	steps.holds(i.t, "PostgreSQL stopped and started: no restart of the sidecar or the API", i.undisturbed(began))
}

// evictable shows that Pods which an outage has made unready hold up no node's drain.
func (i *installation) evictable() {
	i.t.Helper()
	pods, allowed := app(i.pods.now()), 0
	for _, p := range pods {
		eviction := &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}}
		if err := kube.SubResource("eviction").Create(i.t.Context(), p, eviction); err != nil {
			i.t.Logf("evict %s: %v", p.Name, err)
			continue
		}
		allowed++
	}
	steps.holds(i.t, "PostgreSQL stopped: the disruption budget lets both Pods be evicted", count(allowed, len(pods), "evictions allowed"))
}

// toldOf holds when each Pod's condition and Event told against when it saw the outage.
func (i *installation) toldOf(began time.Time, seen map[types.UID]time.Time) {
	i.t.Helper()
	for n, p := range app(i.pods.now()) {
		told := i.pods.await(began, verdict+settle, "the condition of "+p.Name, func(pods []*corev1.Pod) bool {
			return slices.ContainsFunc(pods, func(q *corev1.Pod) bool {
				return q.UID == p.UID && condition(q, dependent).Reason == "DatabaseRefused"
			})
		})
		steps.took(i.t, fmt.Sprintf("PostgreSQL stopped: condition of Pod %d, after it saw it", n+1), told.Sub(seen[p.UID]), reported)
		told = i.events.await(began, verdict+settle, "an Event on "+p.Name, eventOn(p, began, "DependencyUnhealthy", "database"))
		steps.took(i.t, fmt.Sprintf("PostgreSQL stopped: Event on Pod %d, after it saw it", n+1), told.Sub(seen[p.UID]), reported)
	}
}

// described shows what people see first. Of a condition, kubectl shows the status alone.
func (i *installation) described() {
	i.t.Helper()
	texts, missing := 0, 0
	for _, p := range app(i.pods.now()) {
		out := i.kubectl("describe", "pod", p.Name)
		words := strings.Join(strings.Fields(out), " ") // columns are as wide as need be
		for _, want := range []string{string(dependent) + " False", "DependencyUnhealthy", "database is unhealthy: the connection was refused"} {
			texts++
			if !strings.Contains(words, want) {
				i.t.Logf("%q is not in the description of %s:\n%s", want, p.Name, out)
				missing++
			}
		}
	}
	steps.holds(i.t, "PostgreSQL stopped: kubectl describe pod says what is wrong", count(texts-missing, texts, "texts found"))
}

// tells returns a condition: n Pods have ours, for that reason.
func tells(n int, reason string) func([]*corev1.Pod) bool {
	return func(pods []*corev1.Pod) bool {
		told := 0
		for _, p := range app(pods) {
			if condition(p, dependent).Reason == reason {
				told++
			}
		}
		return told == n
	}
}

// eventOn returns a condition: there was such an Event on the Pod since then, a new
// one or an old one once more.
func eventOn(p *corev1.Pod, since time.Time, reason, word string) func([]*corev1.Event) bool {
	since = since.Truncate(time.Second) // as the API server does
	return func(events []*corev1.Event) bool {
		return slices.ContainsFunc(events, func(e *corev1.Event) bool {
			return e.InvolvedObject.UID == p.UID && !e.LastTimestamp.Time.Before(since) &&
				e.Reason == reason && strings.Contains(e.Message, word)
		})
	}
}

// neverEjected notes that the Service had all n Pods all the time.
func (i *installation) neverEjected(from time.Time, step string, n int) {
	i.t.Helper()
	steps.holds(i.t, step,
		i.endpoints.always(from, fmt.Sprintf("%d in the EndpointSlice", n), serving(releaseName, n)),
		i.pods.always(from, fmt.Sprintf("%d Ready", n), readyPods(n)),
		i.undisturbed(from))
}

// withoutRights takes the rights that reporting needs, and shows that the core does
// not notice.
func (i *installation) withoutRights() {
	i.t.Helper()
	i.kubectl("delete", "rolebinding", releaseName)
	began := time.Now()
	i.stop(i.redis)
	_, seen := i.says("redis", "unhealthy")
	steps.took(i.t, "no rights to report: Redis stopped, seen by both Pods", seen.Sub(began), verdict+published)
	i.start(i.redis)
	i.says("redis", "healthy")
	i.neverEjected(began, "no rights to report: the core goes on", 2)
	var found []finding
	for _, p := range app(i.pods.now()) {
		log := i.kubectl("logs", p.Name, "--container", sidecarName)
		// Once for the condition and once for the Events, though there were two changes.
		found = append(found, count(strings.Count(log, `"kind":"forbidden"`), 2, "lines of "+p.Name))
	}
	steps.holds(i.t, "no rights to report: in the log once for each kind of write", found...)
}

func (i *installation) stop(s interface{ Stop() error }) {
	i.t.Helper()
	if err := s.Stop(); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) start(s servers.Server) {
	i.t.Helper()
	if err := s.Start(i.t.Context()); err != nil {
		i.t.Fatal(err)
	}
}

// pause lets time pass in which nothing must happen.
func (s *scenario) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.t.Context().Done():
	}
}
