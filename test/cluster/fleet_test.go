//go:build e2e

package cluster_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/test/poll"
)

const (
	fleetChart = "../../charts/reims-health-fleet"
	fleetName  = "reims-health-fleet" // of the release, and of what it makes
	fleetPage  = 8080
	fleetCRD   = "dependencyhealths.health.reims.io"
	// watched is how many Pods the workload has. Of three, one that fails is the minority.
	watched = 3
	// shownWithin is how long after its beginning an outage may be shown.
	shownWithin = 15 * time.Second
)

// fleetView is a release of the fleet program, and the workload that it shows.
type fleetView struct {
	*release
	of *installation
	// early are the outages that were over before the test began, such as a first check that a busy
	// machine held up.
	early int
}

// fleetVerdict is how kubectl, the API and the page say how far a fault of the database reaches.
type fleetVerdict struct {
	extent, page string
	names        []string
}

// TestFleet installs both charts. It shows that kubectl, and the API and the page of each
// replica, tell a fault of all Pods from that of one, that there is one Event per outage and
// one per recovery, that kubectl wait returns, and that no Pod needs the fleet program.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := installFleet(t)
	i := f.of
	f.healthy("both charts installed")
	f.of.events.await(time.Now(), settle, "an Event of recovery per outage while the Pods started", func(all []*corev1.Event) bool {
		f.early = fleetEvents(all, fleetBegun)
		return fleetEvents(all, fleetOver) == f.early
	})

	since := readySince(i.pods.now())
	i.stop(i.database)
	f.shows("PostgreSQL stopped for all", fleetVerdict{extent: "shared", page: "Shared by most Pods"})
	f.told("PostgreSQL stopped", 1, 0)
	i.start(i.database)
	f.healthy("PostgreSQL started")
	f.told("PostgreSQL started", 1, 1)
	steps.holds(t, "fleet: PostgreSQL stopped and started: not one Ready transition", i.transitions(since))

	if env.own {
		f.oneCut()
	} else {
		steps.notRun(t, "fleet: one Pod cut from PostgreSQL", "needs the node's processes")
	}
	f.uninstall()
	i.run("uninstall", "--wait", "--timeout", "2m")
	objects := strings.Fields(i.kubectl("get", fleetCRD, "--output", "name"))
	steps.holds(t, "fleet: both charts uninstalled: only the CustomResourceDefinition is left",
		found(i.kubectl("get", "crd", "--output", "name"), fleetCRD), count(len(objects), 0, "DependencyHealth objects"))
}

// installFleet installs the fleet program for all namespaces, and a workload for it.
func installFleet(t *testing.T) *fleetView {
	t.Helper()
	before := kubectlOut(t, "get", "crd", fleetCRD, "--ignore-not-found", "--output", "name")
	if before == "" {
		t.Cleanup(func() { kubectlOut(t, "delete", "crd", fleetCRD, "--ignore-not-found") })
	}
	f := &fleetView{release: &release{
		scenario: begin(t), name: fleetName, chart: fleetChart, helm: env.helm,
		values: map[string]any{"image": map[string]any{"registry": "", "repository": env.image + "-fleet", "tag": "e2e"}},
	}}
	t.Cleanup(func() { // which no namespace takes along
		kubectlOut(t, "delete", "clusterrole,clusterrolebinding", f.clusterRole(), "--ignore-not-found")
	})
	took := timed(func() { f.run("install", "--wait", "--timeout", "3m") })
	steps.took(t, "fleet: helm install --wait", took, installed)

	f.of = prepared(begin(t), watched)
	f.of.set("database", map[string]any{"probe": map[string]any{"interval": "2s", "timeout": "1s"}})
	f.of.set("fleet", map[string]any{"enabled": true, "interval": "2s"})
	f.of.run("install", "--wait", "--timeout", "3m")
	f.of.endpoints.await(time.Now(), settle, "the Service has all Pods", serving(releaseName, watched))
	return f
}

// clusterRole is what the chart calls its ClusterRole and ClusterRoleBinding.
func (f *fleetView) clusterRole() string { return f.namespace + ":" + fleetName }

// oneCut cuts one Pod from PostgreSQL. It is on the same node as the others, for which
// PostgreSQL is sound: the fault is the Pod's, and not its node's.
func (f *fleetView) oneCut() {
	f.t.Helper()
	i := f.of
	pod := app(i.pods.now())[0]
	restore := i.cut(pod, "DROP", "--protocol", "tcp", "--destination", i.database.Host(), "--dport", strconv.Itoa(i.database.Port()))
	f.shows("one Pod cut from PostgreSQL", fleetVerdict{extent: "pods", page: "Only Pod " + pod.Name + ": 1 of 3 Pods.", names: []string{pod.Name}})
	f.told("one Pod cut from PostgreSQL", 2, 1)
	restore()
	f.healthy("the one Pod's way restored")
	f.told("the one Pod's way restored", 2, 2)
}

// shows waits until kubectl, and the API and the page of each replica, say how far a fault of
// the database reaches, which has just begun.
func (f *fleetView) shows(step string, want fleetVerdict) {
	f.t.Helper()
	began, i := time.Now(), f.of
	row := regexp.MustCompile(fmt.Sprintf(`^%s +3/3 +(degraded|unhealthy) +database \d/3 \w+ +%s +\w+$`, releaseName, want.extent))
	poll.Seen(f.t, settle, "kubectl get dh says "+want.extent, func() (string, bool) {
		out := strings.TrimSpace(i.kubectl("get", "dh", releaseName, "--no-headers"))
		return out, row.MatchString(out)
	})
	steps.took(f.t, "fleet: "+step+": kubectl get dh says "+want.extent, time.Since(began), shownWithin)
	names := strings.Fields(i.kubectl("get", "dh", releaseName, "--output", `jsonpath={.status.services[?(@.name=="database")].names[*]}`))
	if !slices.Equal(names, want.names) {
		f.t.Errorf("%s: the status names %q, want %q", step, names, want.names)
	}
	workload := "/workloads/" + i.namespace + "/" + releaseName
	for n, replica := range f.pods.now() {
		poll.Seen(f.t, settle, "the API of "+replica.Name+" says "+want.extent, func() (string, bool) {
			body := f.ask(replica, "/api/v1"+workload)
			return body, saysExtent(body, want)
		})
		poll.Seen(f.t, settle, "the page of "+replica.Name+" says: "+want.page, func() (string, bool) {
			body := f.ask(replica, workload)
			return body, strings.Contains(body, want.page)
		})
		steps.took(f.t, fmt.Sprintf("fleet: %s: API and page of replica %d say %s", step, n+1, want.extent), time.Since(began), shownWithin)
	}
}

// ask returns what a replica answers; "" while it can't be reached.
func (f *fleetView) ask(replica *corev1.Pod, path string) string {
	f.t.Helper()
	_, body, err := kube.fromPod(f.t.Context(), replica, fleetPage, path)
	if err != nil {
		return ""
	}
	return string(body)
}

// saysExtent tells whether the API's answer has the extent and the names.
func saysExtent(body string, want fleetVerdict) bool {
	var answer struct {
		Services []struct {
			Name, Extent string
			Names        []string
		}
	}
	_ = json.Unmarshal([]byte(body), &answer) // what is none says nothing
	for _, s := range answer.Services {
		if s.Name == "database" {
			return s.Extent == want.extent && slices.Equal(s.Names, want.names)
		}
	}
	return false
}

// healthy waits as a pipeline does.
func (f *fleetView) healthy(after string) {
	f.t.Helper()
	took := timed(func() { f.of.kubectl("wait", "--for=condition=Healthy", "dh/"+releaseName, "--timeout=60s") })
	steps.took(f.t, "fleet: "+after+": kubectl wait returns", took, settle)
}

// The reasons of the Events of an outage.
const fleetBegun, fleetOver = "DependencyUnhealthy", "DependencyHealthy"

// fleetEvents counts those about the database.
func fleetEvents(all []*corev1.Event, reason string) (n int) {
	for _, e := range all {
		if e.InvolvedObject.Kind == "DependencyHealth" && e.Reason == reason && strings.HasPrefix(e.Message, "database") {
			n++
		}
	}
	return n
}

// told waits for the latest of the Events, and holds that there was one per outage and one per
// recovery so far.
func (f *fleetView) told(step string, outages, recoveries int) {
	f.t.Helper()
	begun := func(all []*corev1.Event) int { return fleetEvents(all, fleetBegun) - f.early }
	over := func(all []*corev1.Event) int { return fleetEvents(all, fleetOver) - f.early }
	f.of.events.await(time.Now(), settle, "the Events after: "+step, func(all []*corev1.Event) bool {
		return begun(all) >= outages && over(all) >= recoveries
	})
	all := f.of.events.now()
	steps.holds(f.t, "fleet: "+step+": Events", count(begun(all), outages, "of outages"), count(over(all), recoveries, "of recoveries"))
}

// uninstall takes the fleet program away, and shows that no Pod of the workload notices.
func (f *fleetView) uninstall() {
	f.t.Helper()
	i := f.of
	i.endpoints.await(time.Now(), settle, "the Service has all Pods", serving(releaseName, watched))
	pods := app(i.pods.now())
	since, asked := readySince(pods), i.askDirectly(pods...)
	began := time.Now()
	f.run("uninstall", "--wait", "--timeout", "2m")
	f.pods.await(began, settle, "the fleet program's Pods are gone", func(pods []*corev1.Pod) bool { return len(pods) == 0 })
	f.leaves("fleet: helm uninstall leaves nothing in its namespace", "configmap/kube-root-ca.crt", "serviceaccount/default")
	roles := strings.Fields(f.kubectl("get", "clusterrole,clusterrolebinding", f.clusterRole(), "--ignore-not-found", "--output", "name"))
	steps.holds(f.t, "fleet: helm uninstall leaves no rights", count(len(roles), 0, "ClusterRoles and ClusterRoleBindings"))
	i.pause(2 * probed) // what the kubelet would find out by then
	i.neverEjected(began, "fleet: program uninstalled: all Pods Ready all the time", watched)
	steps.holds(f.t, "fleet: program uninstalled: not one Ready transition", i.transitions(since), asked())
}

// kubectlOut is kubectl for what is of no namespace.
func kubectlOut(t testing.TB, args ...string) string {
	t.Helper()
	out, err := kubectl(args...)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}
