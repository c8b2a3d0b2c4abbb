package statuspage_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// many is a page of that many named services, in statuses that take turns.
func many(t *testing.T, count int, details server.Details) string {
	t.Helper()
	now := time.Now()
	var services []*health.Service
	var results []health.Result
	for i := range count {
		svc := *scenario.Services(0)[1]
		svc.Name, svc.Kind = fmt.Sprintf("billing-api-%d", i), registry.Kinds().Called("ollama")
		svc.Endpoint = fmt.Sprintf("ollama://billing-%d.internal:11434", i)
		r := health.NewResult(&svc, now)
		outcome := health.Outcome{Started: now, Finished: now, Observation: health.Observation{
			Latency: time.Millisecond, Values: []health.Value{health.Text("endpoint", "http://the-measure:11434")},
		}}
		switch i % 4 {
		case 1:
			outcome.Fault = &health.Fault{Reason: health.ReasonSlow, Message: "slow"}
		case 2:
			outcome.Fault = &health.Fault{Reason: health.ReasonRefused, Message: "refused"}
		}
		if i%4 != 3 {
			r = r.Next(outcome)
		}
		services, results = append(services, &svc), append(results, r)
	}
	v := health.NewView(now, results, health.NoOverride, false)
	told := history.New(services)
	told.Observe(v)
	return getPage(t, scenario.WithPage(&scenario.Monitor{Latest: v}, told, details)).String()
}

var (
	cards = regexp.MustCompile(`id="service-(billing-api-\d+)" class="service (\w+)(?: fills)?"`)
	chips = regexp.MustCompile(`<li id="to-(billing-api-\d+)" class="(\w+)"><a href="#service-(billing-api-\d+)">`)
)

// What needs attention is first, in the links and in the cards; within a status the order is
// the configured one.
func TestPageOrder(t *testing.T) {
	t.Parallel()
	want := []string{
		"billing-api-2 unhealthy", "billing-api-6 unhealthy", "billing-api-1 degraded", "billing-api-5 degraded",
		"billing-api-3 unknown", "billing-api-7 unknown", "billing-api-0 healthy", "billing-api-4 healthy",
	}
	page := many(t, 8, server.Full)
	for what, pattern := range map[string]*regexp.Regexp{"cards": cards, "links": chips} {
		var got []string
		for _, found := range pattern.FindAllStringSubmatch(page, -1) {
			got = append(got, found[1]+" "+found[2])
			if len(found) > 3 && found[3] != found[1] {
				t.Errorf("the link of %s leads to %s", found[1], found[3])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

// One service needs no links, and up to four are shown in full.
func TestPageCollapses(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]struct{ links, shown, collapsed int }{
		1: {}, 2: {links: 2}, 4: {links: 4}, 5: {links: 5, shown: 3, collapsed: 2}, 16: {links: 16, shown: 12, collapsed: 4},
	} {
		page := many(t, count, server.Full)
		if n := len(chips.FindAllString(page, -1)); n != want.links {
			t.Errorf("%d services have %d links, want %d", count, n, want.links)
		}
		shown, all := strings.Count(page, "<details class=\"seen"), 0
		for _, status := range []string{"unhealthy", "degraded", "unknown"} {
			all += strings.Count(page, `<details class="seen `+status+`" open>`)
		}
		collapsed := strings.Count(page, `<details class="seen healthy">`)
		if all != want.shown || collapsed != want.collapsed || shown != all+collapsed {
			t.Errorf("of %d services %d are shown at length and %d collapsed, want %+v", count, all, collapsed, want)
		}
	}
}

// The last of an odd number of cards fills its row, of those in full and of those collapsed.
func TestPageFillsRows(t *testing.T) {
	t.Parallel()
	fills := regexp.MustCompile(`id="service-(billing-api-\d+)" class="service \w+ fills"`)
	for count, want := range map[int]string{
		1: "billing-api-0", 2: "", 3: "billing-api-0", 4: "",
		5: "billing-api-3", 6: "", 7: "billing-api-3", 8: "", // every fourth is healthy, and collapsed
		9: "billing-api-8", 11: "billing-api-8", 13: "billing-api-11",
	} {
		var got []string
		for _, found := range fills.FindAllStringSubmatch(many(t, count, server.Full), -1) {
			got = append(got, found[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %d services %q fill their rows, want %q", count, got, want)
		}
	}
}

// The card of a named service says what it is, and where to whoever may know it: once.
func TestPageOrigin(t *testing.T) {
	t.Parallel()
	for details, want := range map[server.Details]struct{ kind, endpoint bool }{
		server.Full: {true, true}, server.Safe: {true, false}, server.Off: {},
	} {
		page := many(t, 1, details)
		text := legible(t, []byte(page))
		if !strings.Contains(text, "Billing API 0\n") {
			t.Errorf("%s: no title:\n%s", details, text)
		}
		if got := strings.Contains(text, "Kind ollama"); got != want.kind {
			t.Errorf("%s: the kind is shown: %t", details, got)
		}
		if got := strings.Contains(text, "Endpoint ollama://billing-0.internal:11434"); got != want.endpoint {
			t.Errorf("%s: the endpoint is shown: %t", details, got)
		}
		if strings.Contains(page, "the-measure") {
			t.Errorf("%s: the endpoint is shown twice", details)
		}
		if strings.Contains(page, "billing-0.internal") && !want.endpoint {
			t.Errorf("%s: the page holds the endpoint", details)
		}
	}
}

// Of many services, those that are healthy are counted.
func TestPageSummary(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]string{
		8:  "Billing API 2 and Billing API 6 are unhealthy. Billing API 1 and Billing API 5 are degraded. Billing API 3 and Billing API 7 are unknown. Billing API 0 and Billing API 4 are healthy.",
		20: "The other 5 services are healthy.",
	} {
		if text := legible(t, []byte(many(t, count, server.Full))); !strings.Contains(text, want) {
			t.Errorf("%d: no %q in\n%s", count, want, text)
		}
	}
}
