package observe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/reims/reims-health/config/prometheus"
)

// Query is an expression that a person relies on, and where it stands.
type Query struct {
	Where, Expr string
}

// PanelQueries returns every query of the dashboards in a folder: of panels, annotations
// and variables. Grafana's variables are filled in: all Pods, and windows that suit the
// scrape interval.
func PanelQueries(dir string, scrape time.Duration) ([]Query, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no dashboards in %s", dir)
	}
	var all []Query
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("parse %s: %w", path, err)
		}
		all = append(all, d.queries(filepath.Base(path))...)
	}
	fill := grafanaVariables(scrape)
	for i := range all {
		all[i].Expr = fill.Replace(all[i].Expr)
	}
	return all, nil
}

// dashboard is the part of Grafana's model that holds queries.
type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
}

type panel struct {
	Title   string
	Targets []struct{ RefID, Expr string }
	Panels  []panel // of a folded row
}

func (d dashboard) queries(file string) []Query {
	var all []Query
	for _, p := range d.Panels {
		all = append(all, p.queries(file)...)
	}
	for _, a := range d.Annotations.List {
		all = append(all, Query{file + ": annotation " + a.Name, a.Expr})
	}
	labelValues := regexp.MustCompile(`^label_values\((.+), *\w+\)$`)
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			all = append(all, Query{file + ": variable " + v.Name, labelValues.ReplaceAllString(v.Query, "$1")})
		}
	}
	return all
}

func (p panel) queries(file string) []Query {
	var all []Query
	for _, t := range p.Targets {
		all = append(all, Query{fmt.Sprintf("%s: %s (%s)", file, p.Title, t.RefID), t.Expr})
	}
	for _, inner := range p.Panels {
		all = append(all, inner.queries(file)...)
	}
	return all
}

// grafanaVariables is what Grafana puts in for them.
func grafanaVariables(scrape time.Duration) *strings.Replacer {
	window := fmt.Sprintf("%dms", (4 * scrape).Milliseconds()) // Grafana's own rule
	return strings.NewReplacer(
		"$__rate_interval", window, "$__interval", window, "$__range", "5m",
		"$cluster", ".*", "${cluster}", ".*", "$namespace", ".*", "${namespace}", ".*", "$pod", ".*", "${pod}", ".*", "$service", "redis", "${service}", "redis",
	)
}

// RuleQueries returns the expressions of the records as they are, and of each alert the
// selectors in it: an alert that does not fire returns nothing, but what it looks at
// must be there. Durations are divided by the factor.
func RuleQueries(factor int) ([]Query, error) {
	files, err := prometheus.Files()
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, file := range files {
		for _, group := range file.Groups {
			for _, rule := range group.Rules {
				expr, err := Scale([]byte(rule.Expr), factor)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", file.Name, err)
				}
				if rule.Record != "" {
					all = append(all, Query{"record " + rule.Record, string(expr)})
					continue
				}
				for _, selector := range Selectors(string(expr)) {
					all = append(all, Query{fmt.Sprintf("alert %s (%s)", rule.Alert, rule.Labels["severity"]), selector})
				}
			}
		}
	}
	return all, nil
}

var (
	metric  = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})?`)
	clauses = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right) \([^)]*\)`)
	ranges  = regexp.MustCompile(`\[[0-9a-z]+\]`)
)

// Selectors returns the selectors of an expression, without their ranges. It knows the
// PromQL that the rules are written in: a word that is no function and no operator is a
// metric.
func Selectors(expr string) []string {
	expr = ranges.ReplaceAllString(clauses.ReplaceAllString(expr, ""), "")
	var all []string
	for _, at := range metric.FindAllStringIndex(expr, -1) {
		word, rest := expr[at[0]:at[1]], strings.TrimSpace(expr[at[1]:])
		switch word {
		case "and", "or", "unless", "bool", "offset":
			continue
		}
		if !strings.HasPrefix(rest, "(") {
			all = append(all, word)
		}
	}
	return all
}
