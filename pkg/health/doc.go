// Package health is the domain: the status of each service, the reason for it, since
// when it holds, and whether the Pod is ready.
//
// A [Monitor] runs one [Checker] per service on a ticker. It passes each [Outcome] to a
// state machine without I/O ([Result.Next]) and publishes an immutable [View]. The
// packages that answer HTTP, export metrics and report to Kubernetes read that view;
// pkg/cli starts the monitor.
//
// It uses the standard library only, and never depends on a driver, a wire format or an
// environment variable. Reading a view never starts a check.
package health
