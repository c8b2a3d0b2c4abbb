package scale_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/scale"
	"github.com/reims/reims-health/test/servers"
)

// A small run of make scale, of which only counts are held that do not depend on the machine.
func TestSmall(t *testing.T) {
	t.Parallel()
	const loops, pool = 20, 2
	report, err := scale.Run(t.Context(), scale.Options{
		Dir: servers.TempDir(t), Loops: loops, Steady: 3 * time.Second, Outages: []time.Duration{time.Second},
		Vars:     []servers.Var{{Name: "DATABASE_PROBE_INTERVAL", Value: "1s"}, {Name: "DATABASE_PROBE_TIMEOUT", Value: "30s"}},
		Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, herd := range []scale.Herd{report.Start, report.Outages[0].Herd} {
		if herd.Missing > 0 {
			t.Fatalf("%d of %d loops are not healthy again: %s", herd.Missing, loops, herd.Example)
		}
	}
	if report.Messages < report.Checks[0] || report.Messages > report.Checks[1] {
		t.Errorf("the database answered %d messages to %d to %d checks", report.Messages, report.Checks[0], report.Checks[1])
	}
	for _, s := range report.Services {
		if s.Peak < loops || s.Peak > pool*loops {
			t.Errorf("%d loops have up to %d connections to %s, want one each, and at most %d", loops, s.Peak, s.Name, pool)
		}
		if s.Failed > 0 || s.Checks == 0 || s.Connections == 0 {
			t.Errorf("a service is not measured, or its checks fail: %+v", s)
		}
	}
	if len(report.Services) != 4 || len(report.Outages) != 1 || report.Outages[0].Herd.Logins < loops {
		t.Errorf("not everything was measured: %+v", report)
	}
	checkReport(t, report)
}

// checkReport looks for each table, and for each part of the check.
func checkReport(t *testing.T, report *scale.Report) {
	t.Helper()
	var text strings.Builder
	if err := report.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"20 sidecars, the database directly", "\nollama", "\nthe loops", "\nstart", "\ndown for 1s",
		"(SHOW)", "(SET)", "the API's connections", "number of sidecars", "connections used", "writes that hang", "the schema's version", "is it a standby",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
}

// Through PgBouncer the sidecars share its connections.
func TestSmallPooled(t *testing.T) {
	t.Parallel()
	const loops, pool = 30, 20
	report, err := scale.Run(t.Context(), scale.Options{
		Dir: servers.TempDir(t), Loops: loops, Pooled: true, Steady: 3 * time.Second,
		Vars:     []servers.Var{{Name: "DATABASE_PROBE_INTERVAL", Value: "1s"}, {Name: "DATABASE_PROBE_TIMEOUT", Value: "30s"}},
		Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := report.Services[1]; s.Name != "postgres" || s.Peak == 0 || s.Peak > pool {
		t.Errorf("PgBouncer has up to %d connections, want at most %d: %+v", s.Peak, pool, s)
	}
}

// The parts are measured beside connections that are held.
func TestSmallParts(t *testing.T) {
	t.Parallel()
	report, err := scale.MeasureParts(t.Context(), scale.Options{Dir: servers.TempDir(t), Progress: func(line string) { t.Log(line) }}, 20)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Parts) != 9 || report.Latency == 0 {
		t.Errorf("want 9 parts: %+v", report)
	}
}
