package statuspage_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/test/scenario"
)

// gap is a database whose results dried up for a while, and were stale for five
// minutes, which lie in six steps of a minute.
func gap() scenario.Scenario {
	well := scenario.Busy(time.Hour-time.Second, 5*time.Second, scenario.Between(0, 0, nil))
	var steps []scenario.Step
	for _, s := range well {
		if s.Ago > 35*time.Minute || s.Ago < 30*time.Minute {
			steps = append(steps, s)
		}
	}
	return scenario.Scenario{History: scenario.AllWell().But("database", steps)}
}

// databaseChart is the drawing of the database on a page.
func databaseChart(t *testing.T, page string) string {
	t.Helper()
	_, card, _ := strings.Cut(page, `id="service-database"`)
	_, chart, found := strings.Cut(card, `<figure`)
	chart, _, _ = strings.Cut(chart, `</figure>`)
	if !found {
		t.Fatalf("no chart in %s", page)
	}
	return chart
}

// TestChartGap: what is stale is unhealthy in the band, and no line is drawn across it.
func TestChartGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chart := databaseChart(t, getPage(t, gap().Handler(server.Full)).String())
		if !strings.Contains(chart, "Unhealthy for about 6 min and healthy for about 54 min.") {
			t.Errorf("in words: %s", chart)
		}
		if n := strings.Count(pathOf(t, chart, "line"), "M"); n != 2 {
			t.Errorf("the line has %d pieces, want 2: %s", n, chart)
		}
		if n := strings.Count(pathOf(t, chart, "band unhealthy"), "M"); n != 6 {
			t.Errorf("%d steps are unhealthy, want 6: %s", n, chart)
		}
	})
}

func pathOf(t *testing.T, chart, class string) string {
	t.Helper()
	found := regexp.MustCompile(`class="` + class + `" d="([^"]*)"`).FindStringSubmatch(chart)
	if found == nil {
		t.Fatalf("no %s in %s", class, chart)
	}
	return found[1]
}

// TestChartAllStale: a service whose results are all longer ago than the chart begins
// is not one of which nothing is known.
func TestChartAllStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scenario.Scenario{History: scenario.AllWell().But("database", []scenario.Step{{Ago: 2 * time.Hour}})}
		chart := databaseChart(t, getPage(t, s.Handler(server.Full)).String())
		if !strings.Contains(chart, "Unhealthy for about 2 min.") {
			t.Error(chart)
		}
	})
}

// With nothing but verdicts to show, no room is kept for latencies.
func TestChartOff(t *testing.T) {
	t.Parallel()
	for details, box := range map[server.Details]string{server.Full: "0 0 600 58", server.Off: "0 48 600 10"} {
		if chart := databaseChart(t, getPage(t, gap().Handler(details)).String()); !strings.Contains(chart, `viewBox="`+box+`"`) {
			t.Errorf("%s: %s", details, chart)
		}
	}
}
