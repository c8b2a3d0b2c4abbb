package observe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/config/prometheus"
	"github.com/reims/reims-health/test/observe"
)

const dashboards = "../../config/grafana/dashboards"

func TestSelectors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`avg by (namespace, service) (up{a="b c",d=~"e|f"}) < 0.5`:           {`up{a="b c",d=~"e|f"}`},
		`sum(rate(x_count[5m])) / (sum(rate(y{r="s"}[5m])) > 0)`:             {"x_count", `y{r="s"}`},
		`a:b:c > 14.4 and d unless on (n) max_over_time(ALERTS{x="y"}[30m])`: {"a:b:c", "d", `ALERTS{x="y"}`},
		`vector(0.995)`: nil,
	} {
		if diff := cmp.Diff(want, observe.Selectors(expr)); diff != "" {
			t.Errorf("%s\n%s", expr, diff)
		}
	}
}

// Of each rule there is something to ask, and nothing that Grafana would fill in is left.
func TestQueriesAreComplete(t *testing.T) {
	t.Parallel()
	rules, err := observe.RuleQueries(factor)
	if err != nil {
		t.Fatal(err)
	}
	files, err := prometheus.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, alert := range file.Alerts() {
			found := false
			for _, q := range rules {
				found = found || strings.HasPrefix(q.Where, "alert "+alert.Alert+" ("+alert.Labels["severity"])
			}
			if !found {
				t.Errorf("nothing to ask of %s", alert.Alert)
			}
		}
	}
	panels, err := observe.PanelQueries(dashboards, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range panels {
		if q.Expr == "" || strings.Contains(q.Expr, "$") {
			t.Errorf("%s: %q", q.Where, q.Expr)
		}
	}
	t.Logf("%d of rules, %d of dashboards", len(rules), len(panels))
}
