//go:build e2e

package controller_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/poll"
)

// TestAPIServer is about a real API server, and a farm whose sidecars answer from memory.
func TestAPIServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	t.Run("the definition is an old one, and then upgraded", c.upgrades) // first: the others need the new one
	t.Run("refuses what is no DependencyHealth", c.refuses)
	t.Run("tells what is wrong, where, and once", c.tells)
	t.Run("writes little while an outage spreads", c.writesLittle)
	t.Run("follows the Pods", c.follows)
	t.Run("an answer is lost", c.answerLost)
	t.Run("somebody else writes the status", c.othersWrite)
	t.Run("the next leader goes on", c.leaderLost)
	t.Run("the rights are taken away", c.rightsLost)
	t.Run("one namespace cannot be read", c.oneNamespace)
	t.Run("the API server stops", c.stops) // last: the others need it
}

func (c *cluster) refuses(t *testing.T) {
	namespace := c.namespace(t)
	for name, tt := range map[string]struct {
		spec string
		want string
	}{
		"no service":                 {`{}`, "spec.service"},
		"a service that is none":     {`{service: Reims}`, "spec.service"},
		"a port above all":           {`{service: reims, port: 70000}`, "spec.port"},
		"an interval below a second": {`{service: reims, interval: 10ms}`, "interval must be 1s to 1h"},
		"an interval that is none":   {`{service: reims, interval: soon}`, "spec.interval"},
		"a name without authorities": {`{service: reims, serverName: reims.example}`, "serverName needs caBundle"},
	} {
		t.Run(name, func(t *testing.T) {
			object := c.decode(t, namespace, tt.spec)
			err := c.admin.Create(t.Context(), object)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a refusal that names %s", err, tt.want)
			}
		})
	}
	object := c.decode(t, namespace, `{service: reims}`)
	if err := c.admin.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if spec := c.get(t, namespace).Spec; spec.Port != 8008 || spec.Interval.Duration != 5*time.Second {
		t.Errorf("the defaults are %+v", spec)
	}
}

// tells goes through an outage of a zone and one of all.
func (c *cluster) tells(t *testing.T) {
	w := c.workload(t, 12, 2, 3)
	r := w.replica(t, "one")
	w.await("healthy", "", "12/12")
	w.wantKubectl("NAME    PODS    STATUS    WORST   EXTENT   SINCE\nreims   12/12   healthy")
	if out, err := w.kubectl("wait", "--for=condition=Healthy", "dh/reims", "--timeout=5s"); err != nil {
		t.Errorf("kubectl wait: %v: %s", err, out)
	}

	w.farm.Set(farm.Some(func(i int) bool { return i/2%3 == 1 }, refused, well)) // zone b
	w.await("degraded", "zone b", "12/12")
	w.wantKubectl("reims   12/12   degraded   database 4/12 refused   zone b")
	const begun = "DependencyUnhealthy database is unhealthy for 4 of 12 Pods (refused): zone b"
	w.wantEvents(begun)
	w.farm.Set(farm.Some(func(int) bool { return true }, refused, well))
	w.await("unhealthy", "shared", "12/12")
	got := c.get(t, w.namespace)
	poll.Until(t, "all Pods say so", func() bool {
		got = c.get(t, w.namespace)
		return got.Status.Services[0].Pods.Unhealthy == 12
	})
	if s := got.Status.Services[0]; s.Name != "database" || s.Pods.Unhealthy != 12 || len(s.Names) != 0 || s.Reasons[0] != (v1alpha1.ReasonCount{Reason: "refused", Pods: 12}) {
		t.Errorf("database is %+v", s)
	}
	if m := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionHealthy); m.Status != metav1.ConditionFalse || m.Message != "database 12/12 refused shared" {
		t.Errorf("Healthy is %+v", m)
	}
	w.wantKubectl("reims   12/12   unhealthy   database 12/12 refused   shared")

	w.farm.Set(farm.Always(well))
	w.await("healthy", "", "12/12")
	const ended = "DependencyHealthy database is usable again for every Pod that answers"
	w.wantEvents(begun, ended)
	if n := r.writes.Load(); n > 10 {
		t.Errorf("%d writes of the status", n)
	}

	// A second outage soon after the first one is told in its own words.
	w.farm.Set(farm.Always(slow))
	w.await("unhealthy", "shared", "12/12")
	w.wantEvents(begun, ended, "DependencyUnhealthy redis is unhealthy for 12 of 12 Pods (timeout): the fault is shared")
	w.farm.Set(farm.Always(well))
	w.await("healthy", "", "12/12")
	w.wantEvents(begun, ended, "DependencyUnhealthy redis *", "DependencyHealthy redis *")
	if out, err := w.kubectl("describe", "dh", "reims"); err != nil || !strings.Contains(out, "redis is unhealthy for 12 of 12 Pods") {
		t.Errorf("kubectl describe: %v\n%s", err, out)
	}
}

// writesLittle has an outage of a hundred Pods spread over ten seconds.
func (c *cluster) writesLittle(t *testing.T) {
	w := c.workload(t, 100, 10, 2)
	r := w.replica(t, "one")
	w.await("healthy", "", "100/100")
	before, began := w.audited(), time.Now()
	w.farm.Set(func(a netip.AddrPort) farm.Behaviour {
		if time.Since(began) > time.Duration(farm.Number(a)*37%100)*100*time.Millisecond {
			return refused
		}
		return well
	})
	poll.Until(t, "all Pods say so", func() bool {
		s := c.get(t, w.namespace).Status.Services
		return len(s) > 0 && s[0].Pods.Unhealthy == 100
	})
	w.wantEvents("DependencyUnhealthy database is unhealthy for 100 of 100 Pods (refused): the fault is shared")
	poll.Until(t, "the status says that it was told", func() bool { return c.get(t, w.namespace).Status.Services[0].Announced })
	n := w.audited() - before
	t.Logf("%d writes of the status in an outage that spread over 10 s", n)
	if n < 2 || n > 6 {
		t.Errorf("%d writes of the status in an outage that spread over 10 s, want at most 6", n)
	}
	if sent := int(r.writes.Load()); sent != w.audited() {
		t.Errorf("the API server noted %d writes of the status of %d", w.audited(), sent)
	}
}

// upgrades has an API server whose definition is that of an earlier version, as Helm made it: it
// drops fields of the status, which are not written again and again. Then the definition is
// upgraded as the documentation says.
func (c *cluster) upgrades(t *testing.T) {
	w := c.workload(t, 2, 2, 1)
	r := w.replica(t, "one")
	w.await("healthy", "", "2/2")
	w.farm.Set(farm.Always(refused))
	w.await("unhealthy", "shared", "2/2")
	w.wantEvents("DependencyUnhealthy *")
	poll.Until(t, "the log says that fields are dropped", func() bool { return strings.Contains(r.log.String(), "drops fields of the status") })
	_ = poll.Pause(t.Context(), 5*time.Second) // what there is to write is written
	before := w.audited()
	_ = poll.Pause(t.Context(), 10*time.Second) // ten rounds
	if n := w.audited() - before; n != 0 {
		t.Errorf("%d writes of a status that does not change", n)
	}
	if s := c.get(t, w.namespace).Status; s.Services[0].Announced || !s.Since.IsZero() {
		t.Errorf("the old definition keeps all: %+v", s)
	}
	if out, err := w.kubectl("apply", "--server-side", "--force-conflicts", "--filename", filepath.Dir(definition)); err != nil {
		t.Fatalf("kubectl apply: %v: %s", err, out)
	}
	w.farm.Set(farm.Always(well))
	w.await("healthy", "", "2/2")
	poll.Until(t, "the new fields are kept", func() bool { return !c.get(t, w.namespace).Status.Since.IsZero() })
	w.farm.Set(farm.Always(slow))
	w.await("unhealthy", "shared", "2/2")
	poll.Until(t, "all new fields are kept", func() bool { return c.get(t, w.namespace).Status.Services[1].Announced })
	w.wantKubectl("NAME PODS STATUS WORST EXTENT SINCE")
}

// follows has Pods come, become not ready, and go.
func (c *cluster) follows(t *testing.T) {
	w := c.workload(t, 4, 2, 2)
	w.replica(t, "one")
	w.await("healthy", "", "4/4")
	w.publish(6, 2, 2, func(i int) bool { return i != 0 })
	if got := w.await("healthy", "", "6/6").Status.Pods; got.Ready != 5 {
		poll.Until(t, "five Pods are ready", func() bool { return c.get(t, w.namespace).Status.Pods.Ready == 5 })
	}
	w.publish(2, 2, 2, ready)
	w.await("healthy", "", "2/2")
	w.farm.Set(farm.Always(farm.Behaviour{Refused: true}))
	got := w.await("unknown", "", "0/2")
	if m := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionReporting); m.Status != metav1.ConditionFalse || !strings.Contains(m.Message, "2 unreachable") {
		t.Errorf("Reporting is %+v", m)
	}
	w.publish(0, 2, 2, ready)
	got = w.await("unknown", "", "0/0")
	if m := meta.FindStatusCondition(got.Status.Conditions, v1alpha1.ConditionReporting); m.Reason != "NoPods" || !strings.Contains(m.Message, "health.reims.io/sidecars") {
		t.Errorf("Reporting is %+v", m)
	}
	if err := c.admin.Delete(t.Context(), c.get(t, w.namespace)); err != nil {
		t.Fatal(err)
	}
	requests := int64(-1)
	poll.Until(t, "no sidecar is asked", func() bool {
		before := requests
		requests = w.farm.Requests()
		_ = poll.Pause(t.Context(), 3*time.Second)
		return before == requests
	})
}

// answerLost has the API server take a write whose answer does not come back, in an outage
// that is over before the next attempt.
func (c *cluster) answerLost(t *testing.T) {
	w := c.workload(t, 2, 2, 1)
	r := w.replica(t, "one")
	w.await("healthy", "", "2/2")
	r.lose.Store(true)
	w.farm.Set(farm.Always(refused))
	w.await("unhealthy", "shared", "2/2")
	w.farm.Set(farm.Always(well))
	poll.Until(t, "the collector knows that it is over", func() bool { return r.summary().Status == health.Healthy })
	r.lose.Store(false)
	w.await("healthy", "", "2/2")
}

// othersWrite has somebody else change the status, and an earlier leader's write come late.
func (c *cluster) othersWrite(t *testing.T) {
	w := c.workload(t, 2, 2, 1)
	w.replica(t, "one")
	w.await("healthy", "", "2/2")
	w.farm.Set(farm.Always(refused))
	since := w.await("unhealthy", "shared", "2/2").Status.Since
	for name, patch := range map[string]string{
		"another status":   `{"status":{"status":"healthy","since":null,"summary":{"worst":"","extent":""}}}`,
		"no status":        `{"status":null}`,
		"another service":  `{"status":{"services":[{"name":"made-up","status":"healthy","pods":{"healthy":1,"degraded":0,"unhealthy":0,"unknown":0}}]}}`,
		"no conditions":    `{"status":{"conditions":null}}`,
		"one more of them": `{"status":{"conditions":[{"type":"Other","status":"True","reason":"X","message":"","lastTransitionTime":"2026-03-14T09:26:53Z"}]}}`,
	} {
		if out, err := w.kubectl("patch", "dh", "reims", "--subresource=status", "--type=merge", "--patch="+patch); err != nil {
			t.Fatalf("kubectl patch: %v: %s", err, out)
		}
		poll.Until(t, "the status is right again after "+name, func() bool {
			s := c.get(t, w.namespace).Status
			return s.Status == "unhealthy" && s.Since.Equal(&since) && s.Summary.Worst == "database 2/2 refused" && len(s.Services) == 2 &&
				s.Services[0].Name == "database" && len(s.Conditions) == 2 && meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReporting)
		})
	}
	if out, err := w.kubectl("label", "dh", "reims", "team=shop"); err != nil { // makes what the writer knows an old version
		t.Fatalf("kubectl label: %v: %s", err, out)
	}
	w.farm.Set(farm.Always(well))
	w.await("healthy", "", "2/2")
	w.wantEvents("DependencyUnhealthy *", "DependencyHealthy *")
}

// oneNamespace looks at two, of which one cannot be read when the program starts.
func (c *cluster) oneNamespace(t *testing.T) {
	w, other := c.workload(t, 2, 2, 1), c.workload(t, 2, 2, 1)
	r := w.replicaOf(t, "one", c.user(t, w.namespace), other.namespace)
	w.await("healthy", "", "2/2")
	poll.Until(t, "the log says which namespace cannot be read", func() bool {
		return strings.Contains(r.log.String(), `"namespace":"`+other.namespace+`","kind"`)
	})
	c.grantTo(t, other.namespace, w.namespace)
	other.await("healthy", "", "2/2")
}

// leaderLost cuts the leader off from the API server in an outage, so that it cannot give
// its Lease back: the other replica goes on with what the first one had told.
func (c *cluster) leaderLost(t *testing.T) {
	w := c.workload(t, 6, 2, 3)
	first := w.replica(t, "first")
	poll.Until(t, "the first replica leads", first.leads)
	second := w.replica(t, "second")
	w.await("healthy", "", "6/6")
	w.farm.Set(farm.Always(refused))
	since := w.await("unhealthy", "shared", "6/6").Status.Since
	w.wantEvents("DependencyUnhealthy *")
	first.cut.Store(true)
	poll.Within(t, 3*time.Minute, "the second replica leads", second.leads)
	w.farm.Set(farm.Some(func(i int) bool { return i == 0 }, well, refused))
	poll.Until(t, "the second replica writes", func() bool { return c.get(t, w.namespace).Status.Services[0].Pods.Healthy == 1 })
	if got := c.get(t, w.namespace).Status; !got.Since.Equal(&since) {
		t.Errorf("unhealthy since %s, before the change of the leader since %s", got.Since, since)
	}
	poll.Until(t, "the first replica no longer leads", func() bool { return !first.leads() })
	first.cut.Store(false)
	w.farm.Set(farm.Always(well))
	w.await("healthy", "", "6/6")
	w.wantEvents("DependencyUnhealthy *", "DependencyHealthy *")
	if second.summary() == nil || first.summary().Status != health.Healthy {
		t.Error("a replica does not know what is so")
	}
}

// rightsLost takes the rights away: the sidecars are asked on, and the log says it once.
func (c *cluster) rightsLost(t *testing.T) {
	w := c.workload(t, 2, 2, 1)
	r := w.replicaOf(t, "one", c.user(t, w.namespace))
	w.await("healthy", "", "2/2")
	c.revoke(t, w.namespace)
	w.farm.Set(farm.Always(refused))
	poll.Until(t, "the collector knows of the outage", func() bool { return r.summary().Status == health.Unhealthy })
	poll.Until(t, "the log says that the status can't be written", func() bool { return strings.Contains(r.log.String(), `"kind":"Forbidden"`) })
	_ = poll.Pause(t.Context(), 10*time.Second) // with several attempts
	for _, what := range []string{"status", "Event"} {
		if n := strings.Count(r.log.String(), `"what":"`+what+`","kind":"Forbidden"`); n != 1 {
			t.Errorf("the log says %d times that the %s cannot be written", n, what)
		}
	}
	c.grant(t, w.namespace)
	w.await("unhealthy", "shared", "2/2")
	w.wantEvents("DependencyUnhealthy *")
}

// stops has no API server for a while, in which an outage begins and another ends.
func (c *cluster) stops(t *testing.T) {
	w := c.workload(t, 4, 2, 2)
	r := w.replica(t, "one")
	w.await("healthy", "", "4/4")
	if err := c.kubernetes.Stop(); err != nil {
		t.Fatal(err)
	}
	w.farm.Set(farm.Always(refused))
	poll.Until(t, "the collector knows of the outage", func() bool { return r.summary().Status == health.Unhealthy })
	late := w.replica(t, "late")                                 // starts while there is no API server
	if err := poll.Pause(t.Context(), time.Minute); err != nil { // longer than a leader keeps its Lease
		t.Fatal(err)
	}
	for _, each := range []*replica{r, late} {
		if err := each.ended(); err != nil {
			t.Fatalf("the program has ended: %v", err)
		}
	}
	before := w.farm.Requests()
	poll.Until(t, "the sidecars are asked on", func() bool { return w.farm.Requests() > before })
	if err := c.kubernetes.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await("unhealthy", "shared", "4/4")
	w.wantEvents("DependencyUnhealthy database is unhealthy for 4 of 4 Pods (refused): the fault is shared")
	poll.Until(t, "the replica that started late looks", func() bool { return late.summary() != nil && late.summary().Status == health.Unhealthy })
}

// wantEvents waits until the object has just these Events, each as REASON NOTE, where * is
// any note, and holds that there are no others a while later.
func (w *workload) wantEvents(want ...string) {
	w.t.Helper()
	matches := func() (string, bool) {
		var all eventsv1.EventList
		if err := w.cluster.admin.List(w.t.Context(), &all, client.InNamespace(w.namespace)); err != nil {
			return err.Error(), false
		}
		var got []string
		for i := range all.Items {
			if e := &all.Items[i]; e.Regarding.Kind == "DependencyHealth" {
				got = append(got, e.Reason+" "+e.Note)
				if e.Series != nil {
					got = append(got, fmt.Sprintf("%s %d times more", e.Reason, e.Series.Count))
				}
			}
		}
		left := got
		for _, each := range want {
			for i, text := range left {
				if prefix, open := strings.CutSuffix(each, "*"); text == each || open && strings.HasPrefix(text, prefix) {
					left = append(append([]string{}, left[:i]...), left[i+1:]...)
					break
				}
			}
		}
		return strings.Join(got, "\n"), len(left) == 0 && len(got) == len(want)
	}
	poll.Seen(w.t, time.Minute, "the Events", matches)
	_ = poll.Pause(w.t.Context(), 3*time.Second) // three rounds
	if got, ok := matches(); !ok {
		w.t.Errorf("the Events are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
