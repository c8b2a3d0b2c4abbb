package dashboards_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/reims/reims-health/pkg/metrics"
)

// known are the labels of every series that a dashboard may ask for, and the values of
// those with a closed set (nil: any).
type known map[string]map[string][]string

var (
	scraped = []string{"cluster", "namespace", "pod", "job", "instance"} // what Prometheus adds

	referenceRow = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| ([^|]*) \\|")
	labelValues  = regexp.MustCompile("`(\\w+)`(?: \\(([^)]*)\\))?")
	selector     = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})?`)
	matcher      = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping     = regexp.MustCompile(` (by|without|on|ignoring|group_left|group_right) \([^)]*\)`)
	window       = regexp.MustCompile(`\[[^\]]*\]`)
	perWindow    = regexp.MustCompile(`\b(rate|irate|increase|delta|deriv)\(`)
	operators    = []string{"and", "or", "unless", "bool", "offset"}
)

func TestQueriesAskForWhatThereIs(t *testing.T) {
	t.Parallel()
	series := knownSeries(t)
	for _, d := range dashboards(t) {
		for where, expr := range d.queries() {
			found := checkQuery(t, where, series, expr)
			if found == 0 {
				t.Errorf("%s: no series in %s", where, expr)
			}
		}
	}
}

// checkQuery checks each series that a query asks for, and counts them.
func checkQuery(t *testing.T, where string, series known, expr string) (found int) {
	t.Helper()
	bare := window.ReplaceAllString(grouping.ReplaceAllString(expr, ""), "")
	for _, m := range selector.FindAllStringSubmatchIndex(bare, -1) {
		name, matchers := bare[m[2]:m[3]], ""
		if m[4] >= 0 {
			matchers = bare[m[4]:m[5]]
		}
		if isSeries(bare, name, m[0], m[3]) {
			found++
			checkSeries(t, where, series, name, matchers)
		}
	}
	return found
}

// isSeries tells a metric's name from functions, operators, numbers and quoted text.
func isSeries(expr, name string, start, end int) bool {
	function := strings.HasPrefix(strings.TrimSpace(expr[end:]), "(")
	quoted := strings.Count(expr[:start], `"`)%2 == 1
	return !function && !quoted && !slices.Contains(operators, name)
}

func checkSeries(t *testing.T, where string, series known, name, matchers string) {
	t.Helper()
	labels, is := series[name]
	if !is {
		t.Errorf("%s: there is no metric %s", where, name)
		return
	}
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, value := m[1], m[3]
		values, has := labels[label]
		if !has && !slices.Contains(scraped, label) {
			t.Errorf("%s: %s has no label %s", where, name, label)
		}
		if values != nil && !slices.Contains(values, value) {
			t.Errorf("%s: %s is never %s in %s", where, label, value, name)
		}
	}
}

// knownSeries are the product's, from its own reference, those that the rules record,
// and Prometheus' own on alerts.
func knownSeries(t *testing.T) known {
	t.Helper()
	all := known{
		"ALERTS":           {"alertname": nil, "alertstate": {"firing", "pending"}},
		"ALERTS_FOR_STATE": {"alertname": nil},
	}
	var reference bytes.Buffer
	if err := metrics.WriteReference(&reference, registry.Kinds().Described()); err != nil {
		t.Fatal(err)
	}
	for _, row := range referenceRow.FindAllStringSubmatch(reference.String(), -1) {
		labels := map[string][]string{}
		for _, l := range labelValues.FindAllStringSubmatch(row[3], -1) {
			labels[l[1]] = nil
			if l[2] != "" {
				labels[l[1]] = strings.Split(l[2], ", ")
			}
		}
		if row[2] != "histogram" {
			all[row[1]] = labels
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			all[row[1]+suffix] = maps.Clone(labels)
		}
		all[row[1]+"_bucket"]["le"] = nil
	}
	for _, record := range recorded(t) {
		all[record] = map[string][]string{"service": nil}
	}
	addFleet(t, all)
	return all
}

// addFleet adds the series of the fleet program, as its own test has them, and what Prometheus
// itself says of it.
func addFleet(t *testing.T, all known) {
	t.Helper()
	golden, err := os.ReadFile("../../pkg/fleet/testdata/metrics.golden")
	if err != nil {
		t.Fatal(err)
	}
	closed := []string{"state", "status", "extent", "result"} // the others are names
	for _, line := range regexp.MustCompile(`(?m)^(reims_fleet_\w+)\{(.*)\} `).FindAllStringSubmatch(string(golden), -1) {
		labels := all[line[1]]
		if labels == nil {
			labels = map[string][]string{}
			all[line[1]] = labels
		}
		for _, m := range matcher.FindAllStringSubmatch(line[2], -1) {
			if label, value := m[1], m[3]; !slices.Contains(closed, label) {
				labels[label] = nil
			} else if !slices.Contains(labels[label], value) {
				labels[label] = append(labels[label], value)
			}
		}
	}
	if all["reims_fleet_pods"] == nil {
		t.Fatalf("no series of the fleet program in %s", golden)
	}
	all["up"] = map[string][]string{}
}

func recorded(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, group := range ruleGroups(t) {
		for _, rule := range group.Rules {
			if rule.Record != "" {
				names = append(names, rule.Record)
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("no recording rules in " + filepath.Join(config, "prometheus/rules"))
	}
	return names
}

// Each replica of the fleet program has all of its series: a sum of them would count each Pod once
// per replica.
func TestFleetSeriesAreMaxima(t *testing.T) {
	t.Parallel()
	found, maximum := 0, regexp.MustCompile(`max by \([^)]*\) \([^()]*\)`)
	for _, d := range dashboards(t) {
		for where, expr := range d.queries() {
			found += strings.Count(expr, "reims_fleet_")
			if strings.Contains(maximum.ReplaceAllString(expr, ""), "reims_fleet_") {
				t.Errorf("%s: not the maximum of the replicas: %s", where, expr)
			}
		}
	}
	if found == 0 {
		t.Error("no dashboard uses the fleet program's series")
	}
}

// A rate over a fixed window shows nothing where points are further apart, and nothing
// where scrapes are.
func TestRatesFollowTheInterval(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		for where, expr := range d.queries() {
			rates := perWindow.FindAllStringIndex(expr, -1)
			if have := strings.Count(expr, "[$__rate_interval]"); have != len(rates) {
				t.Errorf("%s: %d rates, %d of them over $__rate_interval: %s", where, len(rates), have, expr)
			}
		}
	}
}

// What a person selects counts everywhere. Series kept by rules have no Pod, and those of the
// fleet program are about whole workloads.
func TestQueriesFollowTheSelection(t *testing.T) {
	t.Parallel()
	for _, d := range dashboards(t) {
		for where, expr := range d.queries() {
			byNamespace := strings.Contains(expr, `namespace=~"$namespace`) &&
				strings.Count(expr, `cluster=~"$cluster"`) == strings.Count(expr, `namespace=~"$namespace`)
			byPod := strings.Contains(expr, `pod=~"$pod"`)
			kept := strings.Contains(expr, ":reims_health_") || strings.Contains(expr, "ALERTS") || strings.Contains(expr, "reims_fleet_")
			if !byNamespace || byPod == kept {
				t.Errorf("%s does not follow the selection: %s", where, expr)
			}
		}
	}
}
