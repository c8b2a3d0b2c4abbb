// Package history remembers the last hour: what each check came to, and every
// change of a verdict or of readiness. It is for the status page and for GET
// /health/history; it subscribes to the monitor and never holds it up.
//
// It is bounded by construction and kept in memory only: a sidecar that restarts
// starts afresh. See [Capacity] for the size.
package history
