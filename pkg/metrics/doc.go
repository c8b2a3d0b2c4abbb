// Package metrics exports the monitor's results to Prometheus. pkg/cli creates it and subscribes
// it to the monitor.
//
// Gauges are computed from a view at each scrape, so that an expired result shows as stale.
// [Metrics.Observe] derives counters and histograms from successive views. A scrape never causes
// a check.
//
// One row in the table in measures.go makes a measure of a probe a gauge. hack/docs writes
// docs/metrics.md from the same tables, with [WriteReference].
//
// # Bound
//
// The contract allows 56 series per service, and 45 for the sidecar itself. The values of every
// label are a closed set, except for the reasons: [events] exports only the first few by name.
// One service has at most
//
//	4  status
//	7  probe_duration_seconds, success: 4 buckets, +Inf, sum, count
//	3  probe_duration_seconds, failure: +Inf, sum, count
//	8  probes_total: 2 that always exist, 4 by name, 2 times other
//	3  transitions_total
//	4  up, probe_last_duration, last_probe_timestamp, last_success_timestamp
//	2  reims_service_health and its latency in milliseconds
//
// which makes 31, and four of them 124. To these come schema_version (2),
// db_connections (2), redis_memory_bytes (3), app_db_connections (4) and db_pool_* (3),
// which are measures of a service: 14. The sidecar itself has ready (1), override (2),
// build_info (1), log_lines_dropped (1), pod_reports (4), pod_reporting_failing (2) and
// the process (5): 16. The total is 154.
//
// A fifth service would add 30, since it has no latency gauge of the old kind.
package metrics
