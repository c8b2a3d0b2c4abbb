//go:build e2e

package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// installed is what helm itself allows an install: how long one takes is the machine's.
const installed = 3 * time.Minute

// installAfterMigration installs, and shows that the hook had done its work before
// there was any Pod.
func (i *installation) installAfterMigration() {
	i.t.Helper()
	began := time.Now()
	took := timed(func() { i.run("install", "--wait", "--timeout", "3m") })
	steps.took(i.t, "helm install --wait, migrations included", took, installed)
	ready := i.pods.await(began, settle+installed, "all Pods are ready", readyPods(2))
	i.endpoints.await(ready, settle+installed, "the Service has all Pods", serving(releaseName, 2))
	steps.holds(i.t, "no Pod before the migrations are done", i.pods.always(began, "Pods", func(pods []*corev1.Pod) bool {
		return len(app(pods)) == 0 || slices.ContainsFunc(pods, migrated)
	}))
	steps.says(i.t, "schema after the install", fmt.Sprintf("version %d", i.database.version(i.t)))
}

// helmTest goes through the Service, as the API's clients do.
func (i *installation) helmTest() {
	i.t.Helper()
	out, err := i.try("test", "--logs", "--timeout", "2m")
	if err != nil {
		i.t.Logf("%v\n%s", err, out)
	}
	steps.holds(i.t, "helm test", exits(err, 0))
}

// execCheck runs the documented check in a container whose image holds one program.
func (i *installation) execCheck() {
	i.t.Helper()
	out, err := kubectl("--namespace", i.namespace, "exec", "deploy/"+releaseName, "--container", sidecarName, "--", "reims-health", "check")
	if err != nil {
		i.t.Logf("%v\n%s", err, out)
	}
	steps.holds(i.t, "kubectl exec: reims-health check", exits(err, 0))
}

func migrated(p *corev1.Pod) bool {
	return p.Labels[batchv1.JobNameLabel] == jobName && p.Status.Phase == corev1.PodSucceeded
}

// uninstall leaves what hooks made, and what was not the chart's.
func (i *installation) uninstall() {
	i.t.Helper()
	took := timed(func() { i.run("uninstall", "--wait", "--timeout", "2m") })
	steps.took(i.t, "helm uninstall --wait", took, 2*time.Minute)
	i.pods.await(time.Now(), settle, "the Pods are gone", func(pods []*corev1.Pod) bool { return len(app(pods)) == 0 })
	i.leaves("helm uninstall leaves the hook's Job and the Pod of helm test alone",
		"configmap/kube-root-ca.crt", "job.batch/"+jobName, "pod/"+releaseName+"-test", "secret/"+secretName, "serviceaccount/default")
}

// leaves holds what is left in the namespace: exactly these, in order, and Pods of the
// migrations' Job.
func (s *scenario) leaves(step string, want ...string) {
	s.t.Helper()
	const kinds = "pods,deployments,replicasets,services,endpointslices,jobs,serviceaccounts,configmaps,secrets,leases," +
		"roles,rolebindings,poddisruptionbudgets,networkpolicies,ingresses,cronjobs,statefulsets,persistentvolumeclaims"
	left := slices.DeleteFunc(strings.Fields(s.kubectl("get", kinds, "--output", "name")), func(name string) bool {
		return strings.HasPrefix(name, "pod/"+jobName+"-")
	})
	slices.Sort(left)
	diff := cmp.Diff(want, left)
	if diff != "" {
		s.t.Logf("what helm uninstall left (-want +got):\n%s", diff)
	}
	steps.holds(s.t, step, finding{fmt.Sprintf("%d objects left, %d expected", len(left), len(want)), diff == ""})
}
