package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/check"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	const both = "# TYPE reims_health_up gauge\nreims_health_up{service=\"database\"} 1\nreims_health_up{service=\"redis\"} 0\n"
	for name, test := range map[string]struct {
		reply reply
		want  string // "" for a pass
	}{
		"each service":    {asText(200, both), ""},
		"one is missing":  {asText(200, strings.ReplaceAll(both, "redis", "ollama")), "there is no reims_health_up of redis"},
		"nothing of ours": {asText(200, "go_goroutines 7\n"), "there is no reims_health_up of database"},
		"another format":  {asText(200, "{\"up\": 1}"), "not Prometheus' text format"},
		"an error":        {asText(500, both), "the code is 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			metrics := serve(t, map[string]reply{"/metrics": test.reply})
			report, err := serve(t, well()).All(t.Context(), check.Suite{MaxAge: time.Minute, Metrics: metrics})
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(report.Checks, func(c check.Check) bool { return c.Path == "/metrics" })
			if i < 0 {
				t.Fatalf("no check of /metrics in %+v", report.Checks)
			}
			got := report.Checks[i]
			if (got.Verdict == check.Pass) != (test.want == "") || !strings.Contains(strings.Join(got.Problems, "\n"), test.want) {
				t.Errorf("%+v, want %q", got, test.want)
			}
			if report.Success != (test.want == "") || report.Failed > 1 {
				t.Errorf("success %t with %d failed", report.Success, report.Failed)
			}
		})
	}
}
