//go:build e2e

package cluster_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/test/poll"
)

const loadPort = 8080

// load is a Pod that sends requests to a Service, see test/cluster/api.
type load struct {
	t   testing.TB
	pod *corev1.Pod
}

// seen is what the load's Pod answers.
type seen struct {
	Sent, Lost int
	Errors     map[string]int
	SlowestMS  int64 `json:"slowest_ms"`
}

func (s seen) String() string {
	return fmt.Sprintf("%d of %d requests lost, the slowest took %d ms %v", s.Lost, s.Sent, s.SlowestMS, s.Errors)
}

// startLoad sends 40 requests per second to the Service until the test ends.
func startLoad(t testing.TB, namespace, service string) *load {
	t.Helper()
	var target corev1.Service
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: service}, &target); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://%s:%d/api/properties", target.Spec.ClusterIP, target.Spec.Ports[0].Port)
	l := &load{t, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "load-" + service},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(1)),
			Containers: []corev1.Container{{
				Name: "load", Image: env.apiImage, ImagePullPolicy: corev1.PullIfNotPresent,
				Args: []string{"load", "-url", url},
			}},
		},
	}}
	if err := kube.Create(t.Context(), l.pod); err != nil {
		t.Fatal(err)
	}
	poll.Within(t, time.Minute, "the load runs", func() bool {
		status, body, err := kube.fromPod(t.Context(), l.pod, loadPort, "/result")
		return err == nil && status == 200 && decode[seen](t, body).Sent > 0
	})
	return l
}

func (l *load) result() seen {
	l.t.Helper()
	status, body, err := kube.fromPod(l.t.Context(), l.pod, loadPort, "/result")
	if err != nil || status != 200 {
		l.t.Fatalf("ask the load: %d %s %v", status, body, err)
	}
	return decode[seen](l.t, body)
}

// during returns what the load saw while do ran.
func (l *load) during(do func()) seen {
	l.t.Helper()
	before := l.result()
	do()
	after := l.result()
	after.Sent -= before.Sent
	after.Lost -= before.Lost
	for cause, n := range before.Errors {
		after.Errors[cause] -= n
	}
	maps.DeleteFunc(after.Errors, func(_ string, n int) bool { return n == 0 })
	return after
}
