package fleet_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pods              string
		workload, service health.Status
	}{
		{"", health.Unknown, health.Unknown},
		{"a/1:-", health.Unknown, health.Unknown},
		{"a/1:.", health.Unknown, health.Unknown},
		{"a/1:H", health.Healthy, health.Healthy},
		{"a/1:HHHH", health.Healthy, health.Healthy},
		{"a/1:HHHD", health.Degraded, health.Degraded},
		{"a/1:HHHF", health.Degraded, health.Degraded},
		{"a/1:HHFF", health.Unhealthy, health.Unhealthy},
		{"a/1:FFFF", health.Unhealthy, health.Unhealthy},
		// A Pod that does not answer is unknown, never unhealthy.
		{"a/1:HH--", health.Healthy, health.Healthy},
		{"a/1:H--", health.Unknown, health.Unknown},
		{"a/1:F---", health.Unknown, health.Unknown},
		{"a/1:FF--", health.Unhealthy, health.Unhealthy},
		{"a/1:FHHHHH--", health.Degraded, health.Degraded},
		// Nor is one that has not been asked: it does not count at all.
		{"a/1:H...", health.Healthy, health.Healthy},
		{"a/1:H.-", health.Healthy, health.Healthy},
		{"a/1:.-", health.Unknown, health.Unknown},
		// Pods that start.
		{"a/1:HHH?", health.Healthy, health.Healthy},
		{"a/1:H??", health.Unknown, health.Unknown},
		{"a/1:???", health.Unknown, health.Unknown},
		// Those that do not have the service do not speak of it.
		{"a/1:Hxxx", health.Healthy, health.Healthy},
		{"a/1:Fxxx", health.Unhealthy, health.Unhealthy},
		{"a/1:Fxxx-", health.Unhealthy, health.Unhealthy},
		{"a/1:?xxx", health.Unknown, health.Unknown},
	} {
		s := summarise(draw(c.pods))
		if got := database(s).Status; s.Status != c.workload || got != c.service {
			t.Errorf("%q: the workload is %s, want %s; the service %s, want %s", c.pods, s.Status, c.workload, got, c.service)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	pods := draw("a/1:FFHD a/2:-.")
	pods[0].Ready, pods[4].Ready = true, true
	pods[1].Answer.Services[0].Reason = health.ReasonTimeout
	pods[2].Answer.At = epoch.Add(-3 * time.Second)
	target := &fleet.Target{Workload: fleet.Workload{Namespace: "shop", Name: "reims"}}
	got := fleet.Summarise(target, pods, nil, epoch)
	want := &fleet.Summary{
		Target: target, At: epoch, Known: 6, Answering: 4, Ready: 2, Status: health.Unhealthy,
		Failures: map[fleet.Failure]int{fleet.FailureTimeout: 1}, Oldest: epoch.Add(-3 * time.Second), Pods: pods,
		Services: []fleet.ServiceSummary{{
			Name: "database", Status: health.Unhealthy, Since: epoch, Extent: fleet.ExtentPods, Names: []string{"p00", "p01"},
			Pods:    map[health.Status]int{health.Unhealthy: 2, health.Healthy: 1, health.Degraded: 1, health.Unknown: 2},
			Reasons: []fleet.ReasonCount{{Reason: health.ReasonRefused, Pods: 2}, {Reason: health.ReasonTimeout, Pods: 1}},
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

// Since is of the status, and stays while it is the same.
func TestSince(t *testing.T) {
	t.Parallel()
	var previous *fleet.Summary
	for i, step := range []struct {
		pods  string
		since int
	}{
		{"a/1:HH", 0}, {"a/1:HH", 0}, {"a/1:FF", 2}, {"a/1:FH a/2:FF", 2}, {"a/1:--", 4}, {"a/1:FF", 5}, {"a/1:FHH", 6}, {"a/1:HHD", 6}, {"a/1:HHH", 8},
	} {
		s := fleet.Summarise(&fleet.Target{}, draw(step.pods), previous, epoch.Add(time.Duration(i)*time.Minute))
		if want := epoch.Add(time.Duration(step.since) * time.Minute); len(s.Services) > 0 && !database(s).Since.Equal(want) {
			t.Errorf("step %d: since %s, want %s", i, database(s).Since, want)
		}
		previous = s
	}
}
