// Package rules holds the alert and recording rules in config/prometheus to what
// docs/monitoring.md promises, with Prometheus' own promtool. test/observe shows the
// same rules at work on real outages.
package rules
