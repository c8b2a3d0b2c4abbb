//go:build e2e

package cluster_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scenario is one namespace, watched from its first moment to its last.
type scenario struct {
	t         testing.TB
	namespace string
	pods      *history[*corev1.Pod]
	endpoints *history[*discoveryv1.EndpointSlice]
	events    *history[*corev1.Event]
}

// begin makes the namespace, and removes it at the end of the test; when that failed,
// what explains it is kept.
func begin(t testing.TB) *scenario {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "reims-e2e-"}}
	if err := kube.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keep(t, namespace.Name)
		}
		if err := kube.Delete(context.WithoutCancel(t.Context()), namespace); err != nil {
			t.Error(err)
		}
	})
	in := client.InNamespace(namespace.Name)
	s := &scenario{t: t, namespace: namespace.Name}
	s.pods = follow[*corev1.Pod](t, new(corev1.PodList), in)
	s.endpoints = follow[*discoveryv1.EndpointSlice](t, new(discoveryv1.EndpointSliceList), in)
	s.events = follow[*corev1.Event](t, new(corev1.EventList), in)
	return s
}

// create makes an object in the scenario's namespace.
func (s *scenario) create(object client.Object) {
	s.t.Helper()
	object.SetNamespace(s.namespace)
	if err := kube.Create(s.t.Context(), object); err != nil {
		s.t.Fatal(err)
	}
}

// serving returns a condition: a Service sends requests to exactly n Pods.
func serving(service string, n int) func([]*discoveryv1.EndpointSlice) bool {
	return func(slices []*discoveryv1.EndpointSlice) bool { return readyEndpoints(slices, service) == n }
}

func readyEndpoints(slices []*discoveryv1.EndpointSlice, service string) (ready int) {
	for _, slice := range slices {
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	return ready
}

// condition returns one of a Pod's, the zero one where it has none.
func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func isReady(p *corev1.Pod) bool {
	return condition(p, corev1.PodReady).Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
}

// container returns the status of a container, native sidecar or not.
func container(p *corev1.Pod, name string) corev1.ContainerStatus {
	for _, c := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		if c.Name == name {
			return c
		}
	}
	return corev1.ContainerStatus{}
}

// settle is room for what this test does not measure: a busy machine.
const settle = time.Minute
