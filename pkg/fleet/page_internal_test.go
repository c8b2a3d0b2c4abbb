package fleet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// crowd returns a summary of the given number of Pods, of which every seventh fails.
func crowd(name string, pods, perNode, services int) *Summary {
	now := time.Now()
	all := make([]PodSummary, pods)
	for i := range all {
		node := i / perNode
		p := PodSummary{Pod: Pod{
			UID: strconv.Itoa(i), Name: fmt.Sprintf("reims-of-the-north-7c9d6b5f4-%05d", i), Node: fmt.Sprintf("gke-prod-pool-%05d", node), Zone: string(rune('a' + node%3)), Ready: true,
		}, Answer: Answer{At: now}}
		for n := range services {
			s := ServiceAnswer{Name: fmt.Sprintf("warehouse-of-the-northern-api-%02d", n), Status: health.Healthy}
			if i%7 == 0 {
				s.Status, s.Reason = health.Unhealthy, health.ReasonTooManyConnections
			}
			p.Answer.Services = append(p.Answer.Services, s)
		}
		all[i] = p
	}
	target := &Target{Workload: Workload{"shop", name}}
	return Summarise(target, all, Summarise(target, nil, nil, now), now)
}

// TestPageSizes: each page stays below its size limit.
func TestPageSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                               string
		pods, perNode, workloads, services int
	}{
		{"10,000 Pods on 500 nodes", 10000, 20, 1, 4},
		{"10,000 Pods on 500 nodes with 16 services", 10000, 20, 1, 16},
		{"10,000 Pods on 5,000 nodes", 10000, 2, 1, 16},
		{"50 workloads of 200", 200, 10, 50, 4},
		{"200 Pods with 16 services", 200, 10, 1, 16},
		{"200 Pods with 64 services", 200, 10, 1, 64},
		{"5,000 nodes with 64 services", 10000, 2, 1, 64},
		{"1,000 workloads of 3 with 8 services", 3, 1, 1000, 8},
		{"60 workloads of 3 with 64 services", 3, 1, 60, 64},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			collector := NewCollector(Options{})
			for i := range c.workloads {
				s := crowd(fmt.Sprint("reims", i), c.pods, c.perNode, c.services)
				collector.workloads[s.Target.Workload] = &workload{target: s.Target, summary: s, changes: changes(nil).add(Summarise(s.Target, nil, nil, s.At), s)}
			}
			for i := range 30 { // as much as the last hour can have
				for _, w := range collector.workloads {
					for _, service := range w.summary.Services[:min(2, len(w.summary.Services))] {
						v := service.verdict()
						w.changes = append(w.changes, Change{w.summary.At.Add(-time.Duration(i) * time.Minute), service.Name, v, v})
					}
				}
			}
			h := NewHandler(collector, PageOptions{})
			for _, path := range []string{"/", "/workloads/shop/reims0"} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
				rows := strings.Count(w.Body.String(), "<tr")
				t.Logf("%s: %d bytes, %d rows", path, w.Body.Len(), rows)
				if w.Code != http.StatusOK || w.Body.Len() > 300_000 || w.Body.Len() < 10_000 || rows > rowsShown+3*min(c.workloads, workloadsShown) {
					t.Errorf("%s: %d, %d bytes, %d rows", path, w.Code, w.Body.Len(), rows)
				}
			}
		})
	}
}

// TestLateRound: the page does not show a stale round as the current state.
func TestLateRound(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := crowd("reims", 3, 1, 1)
	s.Target = &Target{Workload: s.Target.Workload, Interval: 10 * time.Second}
	p := &handler{c: NewCollector(Options{}), files: webpage.NewFiles(fleetCSS)}
	for _, c := range []struct {
		ago   time.Duration
		state health.Status
		words string
	}{
		{39 * time.Second, health.Degraded, "3 Pods: 3 ready, 3 answering"},
		{41 * time.Second, health.Unknown, "Not asked for 41 s. Before that: 3 Pods: 3 ready, 3 answering"},
	} {
		s.At = now.Add(-c.ago)
		v := p.viewModel([]*Summary{s}, nil, "", now)
		if w := v.Workloads[0]; w.Counts != c.words || w.State.Class != c.state.String() || v.State.Class != c.state.String() || w.AsOf != webpage.NewMoment(s.At, now) {
			t.Errorf("after %s: %s %q as of %s", c.ago, w.State.Class, w.Counts, w.AsOf.Text)
		}
	}
}

// TestNodesLeadToPods: in a grid with a row per node, each row links to the node's Pods.
func TestNodesLeadToPods(t *testing.T) {
	t.Parallel()
	s := crowd("reims", 1000, 210, 1) // more on one node than have a row each otherwise
	s.Pods[7].Node = ""
	p := &handler{c: NewCollector(Options{}), files: webpage.NewFiles(fleetCSS)}
	grid := newWorkloadView(s, nil, nil, new(newPageLimits()), s.At).Grid
	seen := map[string]bool{}
	for _, row := range grid.Rows {
		if row.Place != "" {
			continue
		}
		link, err := url.Parse(row.Link)
		if err != nil || link.Path != "workloads/shop/reims" || !link.Query().Has("node") {
			t.Fatalf("the link of %s is %q", row.Name, row.Link)
		}
		node := link.Query().Get("node")
		v := p.viewModel([]*Summary{s}, &node, "../../", s.At)
		for _, pod := range v.Workloads[0].Grid.Rows {
			if pod.Place == "" {
				seen[pod.Link] = true
			}
		}
	}
	if len(seen) != len(s.Pods) || !seen["pods/shop/reims/"+s.Pods[7].Name] {
		t.Errorf("%d of %d Pods have a link, on %d rows", len(seen), len(s.Pods), len(grid.Rows))
	}
}

// TestWords checks the texts of extents.
func TestWords(t *testing.T) {
	t.Parallel()
	ten := strings.Split("abcdefghij", "")
	for _, c := range []struct {
		extent                    Extent
		names                     []string
		failing, passing, unknown int
		where, sentence           string
	}{
		{ExtentNone, nil, 0, 3, 0, "", ""},
		{ExtentShared, nil, 12, 0, 0, "shared", "Shared by most Pods: 12 of 12 Pods."},
		{ExtentShared, nil, 1, 0, 0, "shared", "Shared by most Pods: 1 of 1 Pod."},
		{ExtentZone, []string{"a"}, 4, 8, 0, "zone a", "Only in zone a: 4 of 12 Pods."},
		{ExtentZone, []string{"a", "b"}, 4, 7, 1, "zone a +1", "Only in zones a and b: 4 of the 11 Pods that can tell."},
		{ExtentNode, ten, 30, 1970, 0, "node a +9", "Only on nodes a, b, c, d, e, f, g, h, i, j and maybe more: 30 of 2 000 Pods."},
		{ExtentPods, []string{"a"}, 1, 1, 1, "pods", "Only Pod a: 1 of the 2 Pods that can tell."},
		{ExtentPods, ten, 11, 20, 0, "pods", "Some Pods, with no node or zone in common: 11 of 31 Pods."},
	} {
		s := ServiceSummary{Extent: c.extent, Names: c.names, Pods: map[health.Status]int{
			health.Unhealthy: c.failing, health.Healthy: c.passing, health.Unknown: c.unknown,
		}}
		if s.Where() != c.where || s.verdict().Sentence() != c.sentence {
			t.Errorf("%s: %q, %q", c.extent, s.Where(), s.verdict().Sentence())
		}
	}
}
