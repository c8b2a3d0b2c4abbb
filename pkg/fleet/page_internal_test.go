package fleet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// crowd is a workload of so many Pods, of which every seventh fails.
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

// TestPageSizes: the pages stay small, whatever they show.
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
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			collector := NewCollector(Options{})
			for i := range c.workloads {
				s := crowd(fmt.Sprint("reims", i), c.pods, c.perNode, c.services)
				collector.workloads[s.Target.Workload] = &workload{target: s.Target, summary: s, changes: changes(nil).add(Summarise(s.Target, nil, nil, s.At), s)}
			}
			h := NewHandler(collector, PageOptions{})
			for _, path := range []string{"/", "/workloads/shop/reims0"} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
				rows := strings.Count(w.Body.String(), "<tr")
				t.Logf("%s: %d bytes, %d rows", path, w.Body.Len(), rows)
				if w.Code != http.StatusOK || w.Body.Len() > 300_000 || w.Body.Len() < 10_000 || rows > rowsShown+3*c.workloads {
					t.Errorf("%s: %d, %d bytes, %d rows", path, w.Code, w.Body.Len(), rows)
				}
			}
		})
	}
}
