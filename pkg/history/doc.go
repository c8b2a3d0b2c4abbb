// Package history keeps the last hour in memory: the result of each check, and each change of a
// status or of readiness. pkg/cli creates it; the status page and GET /health/history read it.
//
// Its size is bounded (see [Capacity]). It never writes to disk: after a restart it is empty. It
// never blocks the monitor, whose views it observes.
package history
