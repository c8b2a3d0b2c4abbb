//go:build e2e

package kube_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// The condition follows the services, by one patch and one Event each, and nothing
// else is asked of the API server.
func TestAPIServerGetsTheCondition(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	m := newMonitor("database", "redis")
	_, stop := p.report(m)
	m.checks("database", "ok", "redis", "ok")
	began := p.await("DependenciesHealthy")
	if began.Status != corev1.ConditionTrue || began.LastTransitionTime.IsZero() {
		t.Errorf("%+v", began)
	}
	patch := "PATCH /api/v1/namespaces/" + p.Namespace + "/pods/api-0/status"
	event := "POST /api/v1/namespaces/" + p.Namespace + "/events"
	if got := p.gate.take(); !slices.Equal(got, []string{patch}) {
		t.Errorf("at the start: %q", got)
	}
	m.checks("database", "refused", "redis", "timeout")
	if down := p.await("DatabaseRefused"); down.Status != corev1.ConditionFalse || strings.Contains(down.Message, canary) {
		t.Errorf("%+v", down)
	}
	poll.Until(t, "the Event", func() bool { return len(p.events()) == 1 })
	if got := p.gate.take(); !slices.Equal(got, []string{patch, event}) {
		t.Errorf("for one change: %q", got)
	}
	stop()
	if last := p.condition(kube.ConditionType); last.Status != corev1.ConditionUnknown || last.Reason != "SidecarStopped" {
		t.Errorf("%+v", last)
	}
	if got := p.gate.take(); !slices.Equal(got, []string{patch}) {
		t.Errorf("at the end: %q", got)
	}
}

// Events stand under the Pod, and one that happens again is counted.
func TestAPIServerShowsEvents(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	m := newMonitor("database", "redis")
	p.report(m)
	m.checks("database", "ok", "redis", "ok")
	p.await("DependenciesHealthy")
	shown := func(reason, kind string, count int32) {
		t.Helper()
		poll.Until(t, fmt.Sprintf("%d times %s", count, reason), func() bool {
			return slices.ContainsFunc(p.events(), func(e corev1.Event) bool {
				return e.Reason == reason && e.Type == kind && e.Count == count && e.Source.Component == "reims-health" &&
					e.LastTimestamp.After(e.FirstTimestamp.Add(-time.Second)) && e.Message != ""
			})
		})
	}
	for i := range int32(3) {
		m.checks("redis", "refused")
		shown("DependencyUnhealthy", "Warning", i+1)
		m.checks("redis", "ok")
		shown("DependencyHealthy", "Normal", i+1)
	}
	if n := len(p.events()); n != 2 {
		t.Errorf("%d Events, want 2", n)
	}
}

// The conditions of others stay as they are.
func TestAPIServerKeepsConditionsOfOthers(t *testing.T) {
	t.Parallel()
	c := shared.get(t)
	p := c.newPod(t)
	p.grant()
	const theirs = corev1.PodConditionType("example.com/feature")
	for _, kind := range []corev1.PodConditionType{theirs, corev1.PodReady} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, Reason: "Theirs"})
	}
	if err := c.admin.Status().Update(t.Context(), p.Pod); err != nil {
		t.Fatal(err)
	}
	m := newMonitor("database")
	p.report(m)
	for _, outcome := range []string{"ok", "refused", "ok"} {
		m.checks("database", outcome)
		p.await(map[string]string{"ok": "DependenciesHealthy", "refused": "DatabaseRefused"}[outcome])
		for _, kind := range []corev1.PodConditionType{theirs, corev1.PodReady} {
			if got := p.condition(kind); got.Status != corev1.ConditionTrue || got.Reason != "Theirs" {
				t.Errorf("after ours, %s is %+v", kind, got)
			}
		}
	}
}

// Another writer, such as the kubelet, patches its own condition all the time; none
// loses anything to the other.
func TestAPIServerAmongConcurrentWriters(t *testing.T) {
	t.Parallel()
	c := shared.get(t)
	p := c.newPod(t)
	p.grant()
	m := newMonitor("database")
	p.report(m)
	const patch = `{"status":{"conditions":[{"type":"example.com/busy","status":"True","reason":"R"}]}}`
	for i := range 40 {
		outcome := []string{"ok", "refused"}[i%2]
		m.checks("database", outcome)
		raw := strings.Replace(patch, `"R"`, `"R`+outcome+`"`, 1)
		if err := c.admin.Status().Patch(t.Context(), p.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(raw))); err != nil {
			t.Fatal(err)
		}
	}
	p.await("DatabaseRefused")
	if got := p.condition("example.com/busy"); got.Reason != "Rrefused" {
		t.Errorf("%+v", got)
	}
}

// Without the rights nothing is written and one line for each write is logged. With
// them, all is well and no restart was needed.
func TestAPIServerWithoutRights(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	m := newMonitor("database")
	m.checks("database", "refused")
	log, _ := p.report(m)
	poll.Until(t, "both lines", func() bool { return log.Count("kind=forbidden") == 2 })
	if got := p.gate.take(); got != nil || p.condition(kube.ConditionType).Type != "" {
		t.Errorf("written without a right: %q", got)
	}
	p.grant()
	p.await("DatabaseRefused")
	poll.Until(t, "the Event", func() bool { return len(p.events()) == 1 })
	// The Event shows before its answer is through, and the line comes after that.
	poll.Until(t, "that both work again", func() bool { return log.Count("works again") == 2 })
	if log.Count("kind=") != 2 {
		t.Error(log)
	}
}

// The token is read anew for each request, so one that Kubernetes rotates is in use at
// once. One that is not there, or not accepted, is trouble until it is.
func TestAPIServerGetsTheTokenOfTheMoment(t *testing.T) {
	t.Parallel()
	for kind, token := range map[string]string{"unauthorized": "outdated", "token": ""} {
		// A Pod of its own: an Event that is still to be written would mix with the next one's.
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := shared.get(t).newPod(t)
			p.grant()
			m := newMonitor("database")
			log, _ := p.report(m)
			m.checks("database", "ok")
			p.await("DependenciesHealthy")
			p.mount(token)
			m.checks("database", "refused")
			poll.Until(t, "both lines", func() bool { return log.Count("kind="+kind) == 2 })
			p.mount(p.token)
			p.await("DatabaseRefused")
			m.checks("database", "ok")
			p.await("DependenciesHealthy")
			if text := log.String(); strings.Contains(text, p.token) || strings.Contains(text, "outdated") {
				t.Error("the log has a token")
			}
		})
	}
}

// A Pod's name may be as long as an Event's.
func TestAPIServerTakesLongNames(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	long := p.DeepCopy()
	long.ObjectMeta = metav1.ObjectMeta{
		Namespace: p.Namespace,
		Name:      strings.Repeat("a", 235) + "." + strings.Repeat("b", 17), // is cut at the dot
	}
	p.create(long)
	p.Pod = long
	m := newMonitor("database")
	m.checks("database", "refused")
	p.report(m)
	p.await("DatabaseRefused")
	poll.Until(t, "the Event", func() bool { return len(p.events()) == 1 })
	if faults := validation.IsDNS1123Subdomain(p.events()[0].Name); faults != nil {
		t.Errorf("%s: %q", p.events()[0].Name, faults)
	}
}

// A Pod that only has our name is not ours.
func TestAPIServerRefusesAnotherPod(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	p.UID = "0e6ae0ab-a6b4-4a4e-a1b9-2d2f6d5e8a11"
	m := newMonitor("database")
	m.checks("database", "refused")
	log, _ := p.report(m)
	poll.Until(t, "a line", func() bool { return log.Count("kind=invalid") == 1 })
	if got := p.condition(kube.ConditionType); got.Type != "" {
		t.Errorf("%+v", got)
	}
}

func TestAPIServerHasNoPod(t *testing.T) {
	t.Parallel()
	c := shared.get(t)
	p := c.newPod(t)
	p.grant()
	if err := c.admin.Delete(t.Context(), p.DeepCopy(), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	m := newMonitor("database")
	m.checks("database", "refused")
	log, stop := p.report(m)
	poll.Until(t, "a line", func() bool { return log.Count("kind=not_found") == 1 })
	stop()
}

// A slow API server gets each write once.
func TestAPIServerIsSlow(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	p.gate.set(2*time.Second, 0)
	m := newMonitor("database", "redis")
	log, _ := p.report(m)
	m.checks("redis", "ok", "database", "refused")
	p.await("DatabaseRefused")
	poll.Until(t, "the Event", func() bool { return len(p.events()) == 1 })
	m.checks("database", "ok")
	p.await("DependenciesHealthy")
	poll.Until(t, "the other Event", func() bool { return len(p.events()) == 2 })
	if got := p.gate.take(); len(got) != 4 || log.String() != "" {
		t.Errorf("%q\n%s", got, log)
	}
}

// An API server that refuses for load is left in peace for as long as it asks.
func TestAPIServerRefuses(t *testing.T) {
	t.Parallel()
	p := shared.get(t).newPod(t)
	p.grant()
	p.gate.set(0, 2)
	m := newMonitor("database")
	m.checks("database", "refused")
	begin := time.Now()
	log, _ := p.report(m)
	p.await("DatabaseRefused")
	if d := time.Since(begin); d < 2*time.Second {
		t.Errorf("written after %s, though asked to wait for 2 s", d)
	}
	poll.Until(t, "that it works again", func() bool { return log.Count("works again") == 2 })
	if log.Count("kind=busy") != 2 || len(p.gate.take()) != 2 {
		t.Error(log)
	}
}

// What a frozen and then a killed API server does to a reporter.
func TestAPIServerIsAway(t *testing.T) {
	t.Parallel()
	c := clusterOf(t, servers.RunKubernetes(t))
	outage(t, c, "timeout", c.Freeze, c.Thaw)
	outage(t, c, "unreachable", c.Kill, func() error { return c.Start(t.Context()) })
}

// While the API server is away, whoever publishes notices nothing; afterwards the
// newest state is written, and nothing of what came between.
func outage(t *testing.T, c *cluster, kind string, begin, end func() error) {
	t.Helper()
	p := c.newPod(t)
	p.grant()
	m := newMonitor("database", "redis")
	m.checks("database", "ok", "redis", "ok")
	log, _ := p.report(m)
	p.await("DependenciesHealthy")
	p.gate.take()
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	m.checks("redis", "refused")
	poll.Until(t, "a line", func() bool { return log.Count("kind="+kind) > 0 })
	published := time.Now()
	for range 1000 {
		m.checks("redis", "timeout", "redis", "ok")
	}
	m.checks("database", "timeout")
	if d := time.Since(published); d > time.Second {
		t.Errorf("publishing took %s", d)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	p.await("DatabaseTimeout")
	// A frozen server still does what it was asked before it was given up on, so an
	// Event about the outage of redis may be there, too.
	poll.Until(t, "the Event", func() bool {
		return slices.ContainsFunc(p.events(), func(e corev1.Event) bool {
			return strings.HasPrefix(e.Message, "database is unhealthy: no answer within the probe's timeout")
		})
	})
	if log.Count("write=condition kind="+kind) > 1 || log.Count("write=event kind="+kind) > 1 {
		t.Error(log)
	}
}

// documentedRole is the Role in docs/pod-condition.md.
func documentedRole(t *testing.T) *rbacv1.Role {
	t.Helper()
	page, err := os.ReadFile("../../docs/pod-condition.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(apiVersion: rbac.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/pod-condition.md has no Role")
	}
	var role rbacv1.Role
	if err := yaml.UnmarshalStrict(block[1], &role); err != nil {
		t.Fatal(err)
	}
	return &role
}
