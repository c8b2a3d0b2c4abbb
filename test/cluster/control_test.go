//go:build e2e

package cluster_test

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const apiPort = 8000

// rolloutWithoutSidecar is the control: what clients of the API lose in a rolling
// update of the API alone, on this cluster, under this load.
func (s *scenario) rolloutWithoutSidecar(replicas int) seen {
	s.t.Helper()
	const name = "control"
	labels := map[string]string{"app": name}
	s.create(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(replicas)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: apiAlone()},
		},
	})
	s.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: apiPort}}},
	})
	s.endpoints.await(time.Now(), settle, "the control serves", serving(name, replicas))
	l := startLoad(s.t, s.namespace, name)
	return l.during(func() {
		s.kubectl("rollout", "restart", "deployment/"+name)
		s.kubectl("rollout", "status", "deployment/"+name, "--timeout", "2m")
		s.pods.await(time.Now(), settle, "the old Pods of the control end", func(pods []*corev1.Pod) bool {
			return len(pods) == replicas+1 // and the load's
		})
	})
}

func apiAlone() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{
		Name: "api", Image: env.apiImage, ImagePullPolicy: corev1.PullIfNotPresent,
		// The chart's own pause, so that both leave the Service in the same way.
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(apiPort)}},
			PeriodSeconds: 2,
		},
	}}}
}

// kubectl fails the test when the command fails.
func (s *scenario) kubectl(args ...string) string {
	s.t.Helper()
	out, err := kubectl(append([]string{"--namespace", s.namespace}, args...)...)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
