package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/config/prometheus"
)

const runbooks = "../../docs/alerts"

// One file holds one alert of its name, at one severity or two, so that the chart can
// leave it out.
func TestEveryFileHoldsOneAlert(t *testing.T) {
	t.Parallel()
	for _, file := range alertFiles(t) {
		if len(file.Groups) != 1 || file.Groups[0].Name != file.Name || file.About == "" {
			t.Errorf("%s: want a comment at the top and one group of the same name", file.Name)
		}
		var severities []string
		for _, rule := range file.Alerts() {
			if rule.Alert != file.Name {
				t.Errorf("%s holds the alert %s", file.Name, rule.Alert)
			}
			severities = append(severities, rule.Labels["severity"])
			checkAnnotations(t, rule)
		}
		if s := strings.Join(severities, " "); !slices.Contains([]string{"critical", "warning", "critical warning"}, s) {
			t.Errorf("%s: severities %q", file.Name, s)
		}
	}
}

func checkAnnotations(t *testing.T, rule prometheus.Rule) {
	t.Helper()
	want := "https://github.com/reims/reims-health/blob/main/docs/alerts/" + rule.Alert + ".md"
	if have := rule.Annotations["runbook_url"]; have != want {
		t.Errorf("%s: runbook_url %q, want %q", rule.Alert, have, want)
	}
	for _, name := range []string{"summary", "description"} {
		if text := rule.Annotations[name]; !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %s is no sentence: %q", rule.Alert, name, text)
		}
	}
}

// A wait is explained, or why there is none.
func TestEveryForIsExplained(t *testing.T) {
	t.Parallel()
	explained := regexp.MustCompile(`(?m)^ +# .*\n +(for|labels):`)
	for _, file := range alertFiles(t) {
		text, err := prometheus.FS.ReadFile("rules/" + file.Name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if have := len(explained.FindAll(text, -1)); have != len(file.Alerts()) {
			t.Errorf("%s: %d of %d waits are explained", file.Name, have, len(file.Alerts()))
		}
	}
}

// A record is called level:metric:operations, and says nothing about a single Pod.
func TestRecordsAreNamed(t *testing.T) {
	t.Parallel()
	files, err := prometheus.Files()
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^((namespace|namespace_service):reims_health_\w+:\w+|reims_health:objective:ratio)$`)
	records := 0
	for _, file := range files {
		for _, group := range file.Groups {
			for _, rule := range group.Rules {
				if rule.Record == "" {
					continue
				}
				records++
				if !name.MatchString(rule.Record) {
					t.Errorf("%s is no level:metric:operations", rule.Record)
				}
			}
		}
	}
	if records == 0 {
		t.Error("no records")
	}
}

// A record that ends in a window looks back for just that, and a sum is divided by the
// points that the window has at the interval at which its source is recorded.
func TestRecordsLookBackForTheirWindow(t *testing.T) {
	t.Parallel()
	files, err := prometheus.Files()
	if err != nil {
		t.Fatal(err)
	}
	intervals := recordIntervals(files)
	window, sum := regexp.MustCompile(`\d+[mhd]$`), regexp.MustCompile(`^(?:1 - )?sum_over_time\(([\w:]+)\[.*\) / (\d+)$`)
	ranges := regexp.MustCompile(`\[(\w+)\]`)
	for _, file := range files {
		for _, group := range file.Groups {
			for _, rule := range group.Rules {
				want := window.FindString(rule.Record)
				for _, have := range ranges.FindAllStringSubmatch(rule.Expr, -1) {
					if rule.Record != "" && have[1] != want {
						t.Errorf("%s looks back for %s", rule.Record, have[1])
					}
				}
				if parts := sum.FindStringSubmatch(rule.Expr); parts != nil {
					if have := points(t, want, intervals[parts[1]]); parts[2] != have {
						t.Errorf("%s divides by %s, want %s", rule.Record, parts[2], have)
					}
				}
			}
		}
	}
}

// recordIntervals tells how often each record is made.
func recordIntervals(files []prometheus.File) map[string]string {
	all := map[string]string{}
	for _, file := range files {
		for _, group := range file.Groups {
			for _, rule := range group.Rules {
				all[rule.Record] = group.Interval
			}
		}
	}
	return all
}

// points is how many intervals a window has.
func points(t *testing.T, window, interval string) string {
	t.Helper()
	every, err := time.ParseDuration(interval)
	if err != nil {
		t.Fatal(err)
	}
	days, is := strings.CutSuffix(window, "d")
	if is {
		window = days + "h"
	}
	d, err := time.ParseDuration(window)
	if err != nil {
		t.Fatal(err)
	}
	if is {
		d *= 24
	}
	return strconv.Itoa(int(d / every))
}

// Every alert has a runbook with these sections, and every runbook an alert.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(runbooks, "ReimsHealth*.md"))
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, page := range pages {
		left[strings.TrimSuffix(filepath.Base(page), ".md")] = true
	}
	var find []string
	for _, file := range alertFiles(t) {
		delete(left, file.Name)
		text, err := os.ReadFile(filepath.Join(runbooks, file.Name+".md"))
		if err != nil {
			t.Errorf("no runbook: %v", err)
			continue
		}
		var have []string
		for _, heading := range regexp.MustCompile(`(?m)^##? .*`).FindAllString(string(text), -1) {
			have = append(have, strings.TrimLeft(heading, "# "))
		}
		want := []string{file.Name, "Impact", "Meaning", "Find the Pod", "Look", "Do", "When to escalate", "When it resolves"}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s.md: sections (-want +got)\n%s", file.Name, diff)
		}
		find = append(find, section(string(text), "Find the Pod"))
		checkCommands(t, file.Name, string(text))
	}
	for name := range left {
		t.Errorf("%s.md is about no alert", name)
	}
	if all := slices.Compact(find); len(all) != 1 || !strings.Contains(all[0], "get pods -l reims.io/sidecar") {
		t.Errorf("the Pod is found in %d ways, want one by the label of the chart: %q", len(all), all)
	}
}

// section is the text below a heading, to the next one.
func section(page, heading string) string {
	_, text, _ := strings.Cut(page, "\n## "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	return strings.TrimSpace(text)
}

// checkCommands: what is copied at night works as it is. It names the namespace and the container,
// and nothing must be waited for.
func checkCommands(t *testing.T, name, page string) {
	t.Helper()
	commands := regexp.MustCompile("kubectl [^`\n]*").FindAllString(page, -1)
	if len(commands) < 3 {
		t.Errorf("%s.md has %d commands", name, len(commands))
	}
	ofCluster := regexp.MustCompile(`^kubectl (-n NAMESPACE |get --raw /api/v1/namespaces/NAMESPACE/|describe node |top node|describe pod$)`)
	for _, command := range commands {
		if !ofCluster.MatchString(command) {
			t.Errorf("%s.md: no namespace in %q", name, command)
		}
		if regexp.MustCompile(` (exec|logs) POD`).MatchString(command) && !strings.Contains(command, " -c reims-health") {
			t.Errorf("%s.md: no container in %q", name, command)
		}
		if regexp.MustCompile(`\b(sleep|port-forward|run|attach)\b`).MatchString(command) || strings.HasSuffix(command, "&") {
			t.Errorf("%s.md: %q must be waited for", name, command)
		}
	}
}
