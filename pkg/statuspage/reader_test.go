package statuspage_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/statuspage"
	"github.com/reims/reims-health/test/scenario"
)

// pageOf is the page of a scenario at synctest's first moment.
func pageOf(t *testing.T, s scenario.Scenario, d server.Details) (page string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { page = getPage(t, s.Handler(d)).String() })
	return page
}

// The tab tells the state by its title and its icon.
func TestPageTab(t *testing.T) {
	t.Parallel()
	none := scenario.History{}
	slow, behind := scenario.AllWell().But("redis", scenario.Steadily(scenario.Fault(health.ReasonSlow))),
		scenario.AllWell().But("database", scenario.Steadily(scenario.Fault(postgres.ReasonSchemaBehind)))
	refused := scenario.AllWell().But("redis", scenario.Failing(time.Minute, scenario.Fault(health.ReasonRefused)))
	for _, test := range []struct {
		scenario    scenario.Scenario
		title, icon string
	}{
		{scenario.Scenario{History: scenario.AllWell()}, "All healthy", "healthy"},
		{scenario.Scenario{History: none}, "Starting", "unknown"},
		{scenario.All()["degraded"], "Database and 2 more degraded", ""},
		{scenario.All()["unhealthy"], "Database and 1 more down", "unhealthy"},
		{scenario.All()["held"], "Database down", "unhealthy"},
		{scenario.All()["draining"], "All healthy, not ready", "healthy"},
		{scenario.All()["override_not_ready"], "All healthy, not ready", "healthy"},
		{scenario.All()["stale"], "Database down", "unhealthy"},
		{scenario.Scenario{History: slow}, "Redis degraded", "degraded"},
		{scenario.Scenario{History: slow, Override: health.OverrideNotReady}, "Redis degraded, not ready", "degraded"},
		{scenario.Scenario{History: slow, Draining: true}, "Redis degraded, not ready", "degraded"},
		{scenario.Scenario{History: behind}, "Database degraded, not ready", "degraded"},
		{scenario.Scenario{History: refused}, "Redis down", "degraded"},
		{scenario.Scenario{History: refused, Override: health.OverrideNotReady}, "Redis down, not ready", "degraded"},
		{scenario.All()["scheduler_stopped"], "No news", "unknown"},
	} {
		for _, d := range []server.Details{server.Full, server.Safe, server.Off} {
			page := pageOf(t, test.scenario, d)
			whose := "reims-health"
			if d == server.Full {
				whose = scenario.Instance
			}
			title := regexp.MustCompile(`<title>(.*?)</title>`).FindStringSubmatch(page)[1]
			if test.icon == "" { // Redis refuses connections and is not required
				test.title, test.icon = "Redis down", "degraded"
			}
			if want := test.title + " · " + whose; title != want {
				t.Errorf("%s: title %q, want %q", d, title, want)
			}
			if !strings.Contains(page, `rel="icon" href="assets/icon-`+test.icon+`-`) {
				t.Errorf("%s: %s: not the icon of %s", d, test.title, test.icon)
			}
		}
	}
}

// Where there is nothing to draw, words say so.
func TestPageSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service, words string
		chart          bool
	}{
		"starting":  {"database", "No check has ended yet.", false},
		"unhealthy": {"minio", "No answer in the last 2 min.", true},
	} {
		page := pageOf(t, scenario.All()[name], server.Full)
		_, card, _ := strings.Cut(page, `id="service-`+test.service+`"`)
		card, _, _ = strings.Cut(card, `</article>`)
		if !strings.Contains(card, test.words) || strings.Contains(card, "<dt>p50</dt>") || strings.Contains(card, "–") {
			t.Errorf("%s: no %q, or figures of no answer:\n%s", name, test.words, card)
		}
		if got := strings.Contains(card, `<figure class="chart verdicts"`); got != test.chart || strings.Count(card, "<figure") > 1 {
			t.Errorf("%s: a chart of the verdicts: %t", name, got)
		}
	}
}

// Every reason leads to its text, where there is a link to it, and says what to do.
func TestPageNextStep(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`(<a href="([^"]*)"[^>]*>)?<code>(\w+)</code>`)
	for name, s := range scenario.All() {
		for _, d := range []server.Details{server.Full, server.Safe, server.Off} {
			page := pageOf(t, s, d)
			found := code.FindAllStringSubmatch(page, -1)
			for _, match := range found {
				want := "https://docs.example/troubleshooting.md#" + match[3]
				if match[3] == string(health.ReasonOverride) || match[3] == string(health.ReasonShutdown) {
					want = ""
				}
				if match[2] != want {
					t.Errorf("%s, %s: %s leads to %q, want %q", name, d, match[3], match[2], want)
				}
			}
			troubles, steps := strings.Count(page, `class="trouble"`), strings.Count(page, "<b>Next step: </b>")
			if steps != troubles || d == server.Off && len(found)+steps > 0 {
				t.Errorf("%s, %s: %d next steps for %d faults, %d reasons", name, d, steps, troubles, len(found))
			}
		}
	}
	page := pageOf(t, scenario.All()["unhealthy"], server.Safe)
	if !strings.Contains(page, "Check MINIO_ACCESS_KEY, MINIO_SECRET_KEY or the file of MINIO_SECRET_KEY_FILE.") {
		t.Error("the next step does not name the service's variables")
	}
}

// A state lasted until the next one of the same subject.
func TestPageLasted(t *testing.T) {
	t.Parallel()
	refused := scenario.Fault(health.ReasonRefused)
	var steps []scenario.Step
	for ago := 80 * time.Minute; ago > 0; ago -= 5 * time.Second { // from before the hour that is shown
		step := scenario.Step{Ago: ago}
		if ago <= 130*time.Second && ago > 85*time.Second {
			step.Fault = refused
		}
		steps = append(steps, step)
	}
	text := ""
	synctest.Test(t, func(t *testing.T) {
		s := scenario.Scenario{History: scenario.AllWell().But("database", steps)}
		text = legible(t, getPage(t, s.Handler(server.Full)).Bytes())
	})
	for _, want := range []string{
		"Database Unhealthy → to Healthy again after 40 s\n",
		"Database Healthy → to Unhealthy after 1 h 17 min refused ",
		"Readiness Not ready → to Ready again after 40 s\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// The chart tells the latency at its top, the uptime, and what each stretch was.
func TestChartAxis(t *testing.T) {
	t.Parallel()
	hint := regexp.MustCompile(`<path d="M\d+ 0h(\d+)v58h-\d+z"><title>([^<]*)</title>`)
	for _, d := range []server.Details{server.Full, server.Off} {
		chart := ""
		synctest.Test(t, func(t *testing.T) { chart = databaseChart(t, getPage(t, gap().Handler(d)).String()) })
		if got := strings.Contains(chart, `<p class="max"`); got != (d == server.Full) {
			t.Errorf("%s: the top of the axis is told: %t", d, got)
		}
		if !strings.Contains(chart, `class="uptime">up 91.85 %<`) || !strings.Contains(chart, "Up for 91.85 % of the time.") {
			t.Errorf("%s: no uptime: %s", d, chart)
		}
		found := hint.FindAllStringSubmatch(chart, -1)
		if len(found) < 20 || len(found) > 24 {
			t.Errorf("%s: %d hints for sixty steps", d, len(found))
		}
		words := map[string]bool{}
		for _, match := range found {
			words[regexp.MustCompile(`^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d: (\w+)`).FindStringSubmatch(match[2])[1]] = true
			if ms := strings.Contains(match[2], " ms, slowest "); ms != (d == server.Full && strings.Contains(match[2], "healthy,")) {
				t.Errorf("%s: %s", d, match[2])
			}
		}
		if len(words) != 2 || !words["healthy"] || !words["unhealthy"] {
			t.Errorf("%s: states %v", d, words)
		}
	}
}

// What is only true at the moment is marked, for the style sheet to take it back once
// nothing is heard any more; every time has its date.
func TestPageTakesBack(t *testing.T) {
	t.Parallel()
	for name, s := range scenario.All() {
		page := pageOf(t, s, server.Full)
		for what, pattern := range map[string]string{
			"an age":          `(?:[^,] |>)(?:\d+ s ago|just now)<|>for \d+ \w+, since`,
			"a card's state":  `class="state"><svg[^>]*><use[^>]*></use></svg>(?:<span>)?[A-Z]`,
			"a strip's state": `<span class="(?:word|hidden)"> (?:Healthy|Degraded|Unhealthy)`,
			"a heading":       `<h[12][^>]*>(?:<span class="hidden">Overall: </span>)?(?:Healthy|Degraded|Unhealthy|Ready|Not ready)`,
			"a time":          `<time datetime="[^"]*">`,
		} {
			if found := regexp.MustCompile(pattern).FindString(page); found != "" {
				t.Errorf("%s: %s stays: %s", name, what, found)
			}
		}
		if n := strings.Count(page, `class="was"`); n != 2+2*4 {
			t.Errorf("%s: %d states are taken back, want those of the verdict, readiness, four cards and the strip", name, n)
		}
	}
}

// The page says since when it watches: since the process began.
func TestPageWatching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		last, told := scenario.AnHour().Remembered()
		p := statuspage.New(&scenario.Monitor{Latest: last}, told, statuspage.Options{Details: statuspage.Off})
		advance(time.Hour + time.Minute)
		if text := legible(t, getPage(t, p).Bytes()); !strings.Contains(text, "as of 01:01:00 UTC watching since 00:00:00\n") {
			t.Errorf("not since the beginning:\n%s", text)
		}
	})
}
