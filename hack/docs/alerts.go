package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/reims/reims-health/config/prometheus"
)

const alertsHead = `<!-- Generated from config/prometheus/rules: change it there, then run ` + "`make update-docs`" + `. -->

# Alerts

Each alert has a runbook: the impact, what it means, how to find the Pod, what to look at, what to
do, and when to escalate. *critical* is a page, *warning* can wait for the morning. Alerts are per
namespace and most are per service, but none is per Pod, so an outage that many Pods see is one
alert. [monitoring](../monitoring.md) says how to load them, which labels they need, and how their
waits (` + "`for`" + `) are chosen.

Each alert has the annotation ` + "`runbook_url`" + `. The annotation ` + "`dashboard_url`" + ` (the dashboard of its service) exists only
if the chart created the rules and ` + "`monitoring.prometheusRule.grafanaURL`" + ` is set. With rules from the files or
in Grafana, open the [dashboard](../dashboards.md) by hand.

| alert | severity | for | when |
|---|---|---|---|
`

// writeAlerts writes the index of the runbooks.
func writeAlerts(out io.Writer) error {
	files, err := prometheus.Files()
	if err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString(alertsHead)
	for _, file := range files {
		var severities, waits []string
		for _, alert := range file.Alerts() {
			severities = append(severities, alert.Labels["severity"])
			waits = append(waits, cmp.Or(alert.For, "none"))
		}
		if severities == nil {
			continue // records
		}
		fmt.Fprintf(&page, "| [%s](%s.md) | %s | %s | %s |\n", file.Name, file.Name,
			strings.Join(severities, ", "), strings.Join(waits, ", "), gist(file.About))
	}
	_, err = io.WriteString(out, page.String())
	return err
}

// gist is the first sentence, up to a colon.
func gist(about string) string {
	sentence, _, _ := strings.Cut(about, ". ")
	sentence, _, _ = strings.Cut(sentence, ": ")
	return strings.TrimSuffix(sentence, ".") + "."
}
