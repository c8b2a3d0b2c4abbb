//go:build e2e

package cluster_test

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/test/poll"
)

// summary is what the kubelet tells of its containers, as far as it matters here.
type summary struct {
	Pods []struct {
		PodRef     struct{ UID string }
		Containers []containerStats
	}
}

type containerStats struct {
	Name   string
	Memory struct{ WorkingSetBytes *uint64 }
	CPU    struct {
		Time                 time.Time
		UsageCoreNanoSeconds *uint64
	}
}

// used returns the kubelet's figures of the first Pod's sidecar, taken after that time.
func (i *installation) used(after time.Time) (stats containerStats) {
	i.t.Helper()
	pod := app(i.pods.now())[0]
	poll.Within(i.t, 2*settle, "the kubelet's figures of the sidecar", func() bool {
		stats = i.stats(pod)
		return stats.Memory.WorkingSetBytes != nil && stats.CPU.UsageCoreNanoSeconds != nil && stats.CPU.Time.After(after)
	})
	return stats
}

// footprint holds the sidecar against its requests and limits, with reporting on,
// after it has seen outages. Its CPU is the mean since before.
func (i *installation) footprint(before containerStats) {
	i.t.Helper()
	pod := app(i.pods.now())[0]
	stats := i.used(before.CPU.Time)
	resources := sidecarOf(pod).Resources
	limit, request := resources.Limits.Memory().Value(), resources.Requests.Memory().Value()
	const mi = 1 << 20
	working := float64(*stats.Memory.WorkingSetBytes) / mi
	steps.compare(i.t, fmt.Sprintf("sidecar: working set, limit %d Mi", limit/mi), working, float64(request)/mi, "Mi")
	const milli = 1e-3
	spent := time.Duration(*stats.CPU.UsageCoreNanoSeconds - *before.CPU.UsageCoreNanoSeconds)
	lasted := stats.CPU.Time.Sub(before.CPU.Time)
	cores := spent.Seconds() / lasted.Seconds() / milli
	i.t.Logf("the sidecar's CPU is the mean over %s", lasted)
	steps.compare(i.t, "sidecar: CPU, over three outages", cores, float64(resources.Requests.Cpu().MilliValue()), "m")
}

// idle holds the process's own memory against what is promised for a sidecar that
// reports on its Pod.
func (i *installation) idle() {
	i.t.Helper()
	if !env.own {
		steps.notRun(i.t, "sidecar: resident memory", "needs the node's processes")
		return
	}
	for n, p := range app(i.pods.now()) {
		pid, err := process(container(p, sidecarName))
		if err != nil {
			i.t.Fatal(err)
		}
		resident, err := residentMB(pid)
		if err != nil {
			i.t.Fatal(err)
		}
		steps.compare(i.t, fmt.Sprintf("sidecar: resident memory at idle, reporting on, Pod %d", n+1), resident, 36, "MB")
	}
}

// stats are the zero ones until the kubelet has looked.
func (i *installation) stats(p *corev1.Pod) containerStats {
	i.t.Helper()
	status, body, err := kube.get(i.t.Context(), "/api/v1/nodes/"+p.Spec.NodeName+"/proxy/stats/summary")
	if err != nil || status != 200 {
		i.t.Fatalf("ask the kubelet for its figures: %d %s %v", status, body, err)
	}
	for _, pod := range decode[summary](i.t, body).Pods {
		for _, c := range pod.Containers {
			if pod.PodRef.UID == string(p.UID) && c.Name == sidecarName {
				return c
			}
		}
	}
	return containerStats{}
}
