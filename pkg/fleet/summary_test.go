package fleet_test

import (
	"fmt"
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
		// A Pod that has not been asked does not count.
		{"a/1:H...", health.Healthy, health.Healthy},
		{"a/1:H.-", health.Healthy, health.Healthy},
		{"a/1:.-", health.Unknown, health.Unknown},
		// Pods that start.
		{"a/1:HHH?", health.Healthy, health.Healthy},
		{"a/1:H??", health.Unknown, health.Unknown},
		{"a/1:???", health.Unknown, health.Unknown},
		// Fewer than half have a result.
		{"a/1:F?--", health.Degraded, health.Unknown},
		// Pods without the service do not count for it.
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
			Reason:  health.ReasonRefused,
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

// Since changes only with the status.
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

// The reason comes from the Pods that are counted beside it: from the unhealthy ones or, without
// any, from the degraded ones.
func TestReasonIsOfTheWorst(t *testing.T) {
	t.Parallel()
	for pods, c := range map[string]struct {
		reasons string // one letter per Pod: s slow, t timeout, r refused, - none
		want    health.Reason
		all     []fleet.ReasonCount
	}{
		"a/1:DDDF": {"ssst", health.ReasonTimeout, []fleet.ReasonCount{{health.ReasonTimeout, 1}, {health.ReasonSlow, 3}}},
		"a/1:DDFF": {"sstr", health.ReasonRefused, []fleet.ReasonCount{{health.ReasonRefused, 1}, {health.ReasonTimeout, 1}, {health.ReasonSlow, 2}}},
		"a/1:DDDH": {"sst-", health.ReasonSlow, []fleet.ReasonCount{{health.ReasonSlow, 2}, {health.ReasonTimeout, 1}}},
		"a/1:DDFH": {"ss--", "", []fleet.ReasonCount{{health.ReasonSlow, 2}}},
		"a/1:FF":   {"--", "", nil},
		"a/1:HH":   {"--", "", nil},
	} {
		drawn := draw(pods)
		for i, letter := range c.reasons {
			drawn[i].Answer.Services[0].Reason = map[rune]health.Reason{'s': health.ReasonSlow, 't': health.ReasonTimeout, 'r': health.ReasonRefused}[letter]
		}
		if s := database(summarise(drawn)); s.Reason != c.want || !cmp.Equal(s.Reasons, c.all) {
			t.Errorf("%s: %q of %v, want %q of %v", pods, s.Reason, s.Reasons, c.want, c.all)
		}
	}
}

// A summary has at most 64 services, and these are the ones that most Pods have.
func TestServicesAreBounded(t *testing.T) {
	t.Parallel()
	pods := draw("a/1:HHH")
	for i := range 10 { // each with 16 names of its own
		p := drawPod(10+i, "a", "2", 'H')
		p.Answer.Services = nil
		for n := range 16 {
			p.Answer.Services = append(p.Answer.Services, fleet.ServiceAnswer{Name: fmt.Sprintf("a-%d-%d", i, n), Status: health.Unhealthy})
		}
		pods = append(pods, p)
	}
	s := summarise(pods)
	if len(s.Services) != 64 || database(s).Pods[health.Healthy] != 3 {
		t.Errorf("%d services, database %+v", len(s.Services), database(s))
	}
}

// If no Pod answers any more, the services stay, with the status unknown.
func TestServicesOfSilentPods(t *testing.T) {
	t.Parallel()
	before := summarise(draw("a/1:FH"))
	s := fleet.Summarise(&fleet.Target{}, draw("a/1:--"), before, epoch.Add(time.Minute))
	if got := database(s); got.Name != "database" || got.Status != health.Unknown || got.Pods[health.Unknown] != 2 || got.Extent != fleet.ExtentNone || s.Status != health.Unknown {
		t.Errorf("%+v", s)
	}
	// A Pod that answers without services does not count for them.
	none := draw("a/1:H")
	none[0].Answer.Services = nil
	if s := fleet.Summarise(&fleet.Target{}, none, before, epoch); s.Status != health.Unknown || len(s.Services) != 0 {
		t.Errorf("no service: %+v", s)
	}
}

// A Pod and its replacement may have the same name; it is listed once.
func TestNamesAreASet(t *testing.T) {
	t.Parallel()
	pods := draw("a/1:FF a/2:HHH")
	pods[1].Name, pods[1].Node, pods[1].UID = pods[0].Name, "2", "other"
	if s := database(summarise(pods)); s.Extent != fleet.ExtentPods || len(s.Names) != 1 {
		t.Errorf("%s %v", s.Extent, s.Names)
	}
}
