// Package redis is the kind of dependency that Redis servers are: its settings, its
// checker, its reasons and its measures.
package redis

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonOutOfMemory health.Reason = "out_of_memory"
	ReasonClusterDown health.Reason = "cluster_down"
)

// Kind returns what is known of Redis.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "redis",
			Title:      "Redis",
			Service:    "redis",
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonOutOfMemory, Severity: health.SeverityImpaired, Message: "memory is full and nothing may be evicted", Next: "Raise maxmemory, or choose a maxmemory-policy that evicts."},
				{Reason: ReasonClusterDown, Severity: health.SeverityDown, Message: "the Redis Cluster is down: its state is not ok", Next: "Run `redis-cli --cluster check` on the node to see which slots and nodes are missing."},
			},
			Next: map[health.Reason]string{
				health.ReasonAuth:               "Check {USERNAME}, {PASSWORD} or the file of {PASSWORD_FILE}, and the ACL on the server.",
				health.ReasonDatabaseMissing:    "Check the number of the database, or the name of the master that the Sentinels are asked for.",
				health.ReasonReadOnly:           "Check that {HOST} leads to the master, or set {ALLOW_REPLICA}.",
				health.ReasonTooManyConnections: "Run CLIENT LIST to see who holds the connections, or raise maxclients.",
			},
			Measures: measures(),
			Shares: []health.Share{
				{Title: "Memory", Parts: []health.Part{{Measure: "memory_usage", Word: "in use"}}, Whole: "memory_max"},
			},
			Latency: dependency.LatencyGauge("redis_latency_ms", "redis"),
		},
		Heading: "Redis",
		Probe:   config.DefaultProbe(5*time.Second, 2*time.Second, "ignore"),
		Settings: func() dependency.Settings {
			return &Settings{Host: "localhost", Port: defaultPort}
		},
		Schemes: schemes(),
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	memory := health.Gauge{
		Name: "reims_health_redis_memory_bytes", Label: "kind",
		Help: "Memory of the Redis server in bytes: used, the most ever used (peak), and its maxmemory (max), where 0 is no limit.",
	}
	return []health.Measure{
		{Name: "memory_usage", Unit: health.UnitBytes, Title: "Memory in use", Gauge: memory.Of("used")},
		{Name: "memory_peak", Unit: health.UnitBytes, Gauge: memory.Of("peak")},
		{Name: "memory_max", Unit: health.UnitBytes, Title: "Memory limit", Zero: "none", Gauge: memory.Of("max")},
		{Name: "connected_clients", Title: "Clients"},
		{Name: "total_commands", Title: "Commands so far"},
		{Name: "version", Unit: health.UnitText},
		{Name: "role", Unit: health.UnitText},
		{Name: "master", Unit: health.UnitText, Title: "Master"},
		{Name: "endpoint", Unit: health.UnitText},
		dependency.CertificateMeasure(),
	}
}
