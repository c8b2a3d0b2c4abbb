package page_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
	"github.com/reims/reims-health/test/page"
	"github.com/reims/reims-health/test/poll"
)

// fleetOf serves the page of a fleet of as many Pods, and returns its address and the farm.
func fleetOf(t *testing.T, behave func(netip.AddrPort) farm.Behaviour, pods []fleet.Pod) (string, *farm.Farm) {
	t.Helper()
	f := farm.New(behave)
	c := fleet.NewCollector(fleet.Options{Dial: f.Dial, RequestsPerSecond: 5000})
	small := pods[:min(2, len(pods))]
	for name, pods := range map[string][]fleet.Pod{"reims-of-the-northern-warehouse": pods, "ledger": small} {
		c.Set(&fleet.Target{Workload: fleet.Workload{Namespace: "shop", Name: name}, Interval: time.Second, Pods: pods})
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	s := httptest.NewServer(fleet.NewHandler(c, fleet.PageOptions{Instance: "reims-health-fleet-5d4f8c7b9-x2x7k", Version: "v1.2.3"}))
	t.Cleanup(func() {
		s.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	poll.Until(t, "a first round of each", func() bool { return len(c.Summaries()) == 2 })
	return s.URL, f
}

// tell is what sidecars say that have so many services, of which the first is so.
func tell(services int, status health.Status, reason health.Reason) farm.Behaviour {
	all := []farm.Service{{Name: "database", Status: status, Reason: reason}}
	for i := 1; i < services; i++ {
		name := []string{"redis", "minio", "ollama"}[(i-1)%3]
		if i > 3 {
			name = fmt.Sprintf("warehouse-of-the-northern-api-%02d", i)
		}
		all = append(all, farm.Service{Name: name, Status: health.Healthy})
	}
	return farm.Behaviour{Response: farm.Response(all...)}
}

// TestFleet breaks the database for a zone under a page that is open, and repairs it.
func TestFleet(t *testing.T) {
	t.Parallel()
	good := func(netip.AddrPort) farm.Behaviour { return tell(4, health.Healthy, "") }
	pods := farm.Pods(24, 2, 3)
	pods[23].Ready = false
	url, f := fleetOf(t, good, pods)
	tab, journal := open(t, url+"/", page.View{Width: 1280})
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	inspect(tab, t, "fleet-healthy")
	f.Set(func(a netip.AddrPort) farm.Behaviour {
		switch i := farm.Number(a); {
		case i/2%3 == 1:
			return tell(4, health.Unhealthy, health.ReasonTooManyConnections)
		case i == 6:
			return tell(4, health.Degraded, health.ReasonSlow)
		case i == 17:
			return farm.Behaviour{Refused: true}
		default:
			return tell(4, health.Healthy, "")
		}
	})
	awaitText(tab, t, verdict, "Overall: Degraded", patience)
	awaitText(tab, t, ".states .extent", "Only in zone b: 8 of the 23 Pods that can tell.", patience)
	poll.Until(t, "a Pod that does not answer", func() bool {
		text, _ := page.Read(tab, ".counts")
		return strings.Contains(text, "no answer: 1 unreachable")
	})
	inspect(tab, t, "fleet-zone")
	pod := evaluate[string](tab, t, `document.querySelector(".grid a").href`)
	details, _ := open(t, pod, page.View{Width: 1280})
	awaitText(details, t, verdict, "Overall: Unhealthy", patience)
	inspect(details, t, "fleet-pod")
	f.Set(good)
	awaitText(tab, t, verdict, "Overall: Healthy", patience)
	awaitText(details, t, verdict, "Overall: Healthy", patience)
	if problems := journal.Console(); len(problems) > 0 {
		t.Errorf("console: %v", problems)
	}
	for _, asked := range journal.Requests() {
		if !strings.HasPrefix(asked, url+"/") {
			t.Errorf("a request to %s", asked)
		}
	}
}

// TestFleetOfMany shows more Pods and services than fit, in every width.
func TestFleetOfMany(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pods, services int }{{60, 16}, {5000, 4}} {
		t.Run(fmt.Sprintf("%d Pods", c.pods), func(t *testing.T) {
			t.Parallel()
			url, _ := fleetOf(t, func(a netip.AddrPort) farm.Behaviour {
				if farm.Number(a)%9 == 0 {
					return tell(c.services, health.Unhealthy, health.ReasonRefused)
				}
				return tell(c.services, health.Healthy, "")
			}, farm.Pods(c.pods, 20, 3))
			tab, journal := open(t, url+"/", page.View{Width: 1280})
			awaitText(tab, t, verdict, "Overall: Unhealthy", 2*time.Minute) // 5,000 Pods take 10 s
			inspect(tab, t, fmt.Sprintf("fleet-%d", c.pods))
			if c.pods > 200 { // a row per node, which leads to its Pods
				node, _ := open(t, evaluate[string](tab, t, `document.querySelector(".grid a[href*='?node=']").href`), page.View{Width: 1280})
				poll.Until(t, "the page of a node", func() bool {
					text, _ := page.Read(node, ".crumb")
					return strings.HasPrefix(text, "All workloads · shop/reims-of-the-northern-warehouse · node ")
				})
				inspect(node, t, "fleet-node")
				if rows := evaluate[int](node, t, `document.querySelectorAll(".grid tbody th[scope=row] a").length`); rows != 20 {
					t.Errorf("%d Pods of a node of 20", rows)
				}
			}
			if problems := journal.Console(); len(problems) > 0 {
				t.Errorf("console: %v", problems)
			}
		})
	}
}
