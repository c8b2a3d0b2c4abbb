// Package metrics shows Prometheus what the monitor knows.
//
// Gauges are read off the latest snapshot at each scrape, as of that moment, so
// that a result nobody renews shows as stale. Counters and histograms are derived
// from successive snapshots by [Metrics.Observe]. A scrape never causes a check.
//
// A measure that a probe reports becomes a gauge by one row in the table in
// measures.go. docs/metrics.md is written from the same tables, by [WriteReference].
//
// # Bound
//
// A sidecar of the four services never has more than 147 of the 150 series that
// its contract allows. Every label is a closed set, but for the reasons, of which
// [events] names the first few. One service has at most
//
//	4  status
//	7  probe_duration_seconds, success: 4 buckets, +Inf, sum, count
//	3  probe_duration_seconds, failure: +Inf, sum, count
//	8  probes_total: 2 that always exist, 4 by name, 2 times other
//	3  transitions_total
//	4  up, probe_last_duration, last_probe_timestamp, last_success_timestamp
//	2  reims_service_health and its latency in milliseconds
//
// which makes 31, and four of them 124. To these come ready (1), override (2),
// build_info (1), schema_version (2), db_connections (2), redis_memory_bytes (3),
// app_db_connections (4), db_pool_* (3) and the process (5): 23.
//
// A fifth service would add 30, since it has no latency gauge of the old kind.
package metrics
