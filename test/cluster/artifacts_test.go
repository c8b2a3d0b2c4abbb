//go:build e2e

package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keep saves what explains a failure: the state, the Events and all logs of the
// namespace.
func keep(t testing.TB, namespace string) {
	t.Helper()
	dir := filepath.Join(env.out, strings.ReplaceAll(t.Name(), "/", "_"), namespace)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Log(err)
		return
	}
	save := func(name string, args ...string) {
		out, err := kubectl(append([]string{"--namespace", namespace}, args...)...)
		if err != nil {
			out = append(out, err.Error()...)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), out, 0o644); err != nil {
			t.Log(err)
		}
	}
	save("objects", "get", "all,endpointslices,configmaps,poddisruptionbudgets", "--output", "wide")
	save("describe", "describe", "pods,jobs")
	save("dependencyhealths", "get", fleetCRD, "--output", "yaml")
	save("events", "get", "events", "--sort-by", ".metadata.creationTimestamp")
	var pods corev1.PodList
	if err := kube.List(context.WithoutCancel(t.Context()), &pods, client.InNamespace(namespace)); err != nil {
		t.Log(err)
	}
	for _, p := range pods.Items {
		save("log-"+p.Name, "logs", "--all-containers", "--prefix", "--timestamps", p.Name)
		save("log-"+p.Name+"-previous", "logs", "--all-containers", "--prefix", "--timestamps", "--previous", p.Name)
	}
	t.Logf("kept in %s", dir)
}

// kubectl is for what people would use it for.
func kubectl(args ...string) ([]byte, error) {
	cmd := exec.Command(env.kubectl, append([]string{"--kubeconfig", env.kubeconfig}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
