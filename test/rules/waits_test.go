package rules_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/config/prometheus"
	defaults "github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

// scrape is the longest scrape interval that the rules are made for.
const scrape = 30 * time.Second

// The waits follow from how long a verdict takes with the product's defaults: whoever
// changes an interval or a timeout finds here which alerts became too quick.
func TestWaitsOutlastVerdicts(t *testing.T) {
	t.Parallel()
	c := verdictTimes()
	database, slowest := c["database"], max(c["redis"], c["minio"], c["ollama"])
	for _, test := range []struct {
		alert, severity string
		least           time.Duration
		why             string
	}{
		{"ReimsHealthDatabaseDown", "critical", database + scrape, "a verdict and a scrape"},
		{"ReimsHealthDependencyDown", "warning", slowest + scrape, "a verdict and a scrape"},
		{"ReimsHealthNotReady", "critical", 10 * slowest, "ten verdicts"},
		{"ReimsHealthDegraded", "warning", 40 * slowest, "forty verdicts"},
		{"ReimsHealthResultStale", "warning", 4 * scrape, "four scrapes"},
		{"ReimsHealthDatabaseConnections", "critical", 4 * scrape, "four scrapes"},
		{"ReimsHealthCredentialsFailing", "warning", 200 * time.Second, "a rotation and the range that sees it"},
		{"ReimsHealthSidecarAbsent", "critical", 6 * scrape, "six scrapes"},
		{"ReimsHealthSidecarAbsent", "warning", 10 * scrape, "ten scrapes"},
		{"ReimsHealthDatabaseUnreachable", "warning", 2 * wait(t, "ReimsHealthDatabaseDown", "critical"), "twice the server's alert"},
		{
			"ReimsHealthErrorBudgetBurn", "critical",
			wait(t, "ReimsHealthDatabaseUnreachable", "warning") + database + 2*scrape, "the alerts on an outage come first",
		},
		{
			"ReimsHealthErrorBudgetBurn", "warning",
			wait(t, "ReimsHealthDependencyDown", "warning") + slowest + 2*scrape, "the alerts on an outage come first",
		},
	} {
		if have := wait(t, test.alert, test.severity); have < test.least {
			t.Errorf("%s (%s) waits %s, but %s take %s", test.alert, test.severity, have, test.why, test.least)
		}
	}
}

// verdictTimes tells how long it takes at most to confirm an outage, by service.
func verdictTimes() map[string]time.Duration {
	confirm := func(p defaults.Probe) time.Duration {
		return p.Interval*11/10 + time.Duration(p.FailureThreshold)*p.Timeout + time.Second
	}
	times := make(map[string]time.Duration)
	for _, s := range registry.Kinds().Services() {
		times[s.Name] = confirm(s.Probe)
	}
	return times
}

// wait returns the `for` of an alert.
func wait(t *testing.T, alert, severity string) time.Duration {
	t.Helper()
	for _, file := range alertFiles(t) {
		for _, rule := range file.Alerts() {
			if rule.Alert == alert && rule.Labels["severity"] == severity {
				return duration(t, rule)
			}
		}
	}
	t.Fatalf("there is no %s at %s", alert, severity)
	return 0
}

// duration reads a wait, in the units that Go has too.
func duration(t *testing.T, rule prometheus.Rule) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(rule.For)
	if err != nil {
		t.Fatalf("%s: %v", rule.Alert, err)
	}
	return d
}
