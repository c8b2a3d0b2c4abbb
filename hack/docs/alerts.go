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
do, and when to escalate. *critical* wakes somebody, *warning* can wait for the morning. All are by
namespace, most by service, none by Pod, so an outage that many Pods see is one alert.
[monitoring](../monitoring.md) says how to load them, which labels they rely on, and where the waits
come from.

Each alert has the annotation ` + "`runbook_url`" + `. The annotation ` + "`dashboard_url`" + ` (the dashboard of its service) exists only
where the chart made the rules and ` + "`monitoring.prometheusRule.grafanaURL`" + ` is set: rules loaded from the
files, and those of Grafana, do not have it. Open the [dashboard](../dashboards.md) by hand there.

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
