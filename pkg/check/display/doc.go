// Package display writes the results of pkg/check for people: lines, tables and bars, with
// colours on a terminal and in plain text elsewhere, and the live screen of the monitor.
// The command `reims-health check` in pkg/cli calls it.
//
// It never sends a request to a sidecar, and never decides whether a result is good.
package display
