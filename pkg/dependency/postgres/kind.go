// Package postgres is the kind of dependency that PostgreSQL servers are: its settings,
// its checker, its reasons and its measures.
package postgres

import (
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// The reasons that only this kind of service gives.
const (
	ReasonSchemaBehind  health.Reason = "schema_behind"
	ReasonWritesStalled health.Reason = "writes_stalled"
)

// Kind returns what is known of PostgreSQL, for databases whose schema must be that one.
func Kind(schema Schema) dependency.Kind {
	return dependency.Kind{
		Kind: health.Kind{
			Name:       "postgres",
			Title:      "Database",
			Service:    "database",
			InReady:    true,
			Documented: true,
			Reasons: []health.ReasonText{
				{Reason: ReasonSchemaBehind, Severity: health.SeverityUnproven, Message: "the database's schema is older than this release needs, or cannot be read", Next: "Run `reims-health migrate up`, or read the log of the migration's Job."},
				{Reason: ReasonWritesStalled, Severity: health.SeverityDown, Message: "writes hang: commits wait for the write-ahead log or for a synchronous standby", Next: "Look at the disk of pg_wal, and in pg_stat_replication for the standbys of synchronous_standby_names."},
			},
			Next: map[health.Reason]string{
				health.ReasonAuth:               "Check {USER}, {PASSWORD} or the file of {PASSWORD_FILE}, and pg_hba.conf on the server.",
				health.ReasonDatabaseMissing:    "Create the database, or correct {NAME}.",
				health.ReasonReadOnly:           "Check that {HOST} leads to the primary, or set {ALLOW_REPLICA}.",
				health.ReasonTooManyConnections: "Look in pg_stat_activity for who holds the connections, or raise max_connections.",
				health.ReasonTLS:                "Check {SSLMODE} and {SSLROOTCERT}, and which authority and which name the server's certificate has.",
			},
			Measures: measures(),
			Shares:   shares(),
			Latency:  dependency.LatencyGauge("db_latency_ms", "database"),
		},
		Heading: "PostgreSQL",
		Probe:   config.DefaultProbe(5*time.Second, 2*time.Second, "strict"),
		Settings: func() dependency.Settings {
			return &Settings{
				Host: "localhost", Port: 5432, Name: "reims", User: "postgres",
				SchemaCheck: true, AppConnections: true,
				schema: schema,
			}
		},
		Schemes: []dependency.Scheme{scheme()},
		Targets: []dependency.Target{{
			Name: "schema",
			Help: "the database's schema is not older than this release needs; with DATABASE_SCHEMA_CHECK=off only where it is asked for",
			Default: func(s dependency.Settings) bool {
				settings, ok := s.(*Settings)
				return ok && bool(settings.SchemaCheck)
			},
			State: schemaState,
		}},
		Rows: rows(),
	}
}

// schemaState judges the schema alone: on a standby it is as good as on a primary.
func schemaState(r health.Result) (there bool, text string) {
	current, read := r.Last.Observation.Find("schema_current")
	required, asked := r.Last.Observation.Find("schema_required")
	switch {
	case read && asked && current >= required:
		return true, ""
	case r.Reason() == ReasonSchemaBehind:
		return false, r.Message()
	default:
		return false, ""
	}
}

const ownPool = "the sidecar's own PostgreSQL pool (not the API's: see reims_health_app_db_connections), sampled after the check has given its connection back."

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	var (
		connections = health.Gauge{
			Name: "reims_health_db_connections", Label: "kind",
			Help:   "Connections of the whole PostgreSQL server, everybody's: used, and the most that it allows (max). Beside several hundred sidecars used is counted less often, every NU/20,000 s for N sidecars and U connections.",
			Absent: "used where the role may not see it, and with NU above 200,000 for up to NU/20,000 s after a failed check",
		}
		app = health.Gauge{
			Name: "reims_health_app_db_connections", Label: "state",
			Help:   "PostgreSQL connections that the API in this Pod holds, by state: those from the Pod's address, the sidecar's own left out. Sampled every 30 s; with more than 170 Pods less often, every N²/1,000 s for N Pods.",
			Absent: "on a Unix socket, behind a pooler, where the role may not see them, or with DATABASE_APP_CONNECTIONS=off; with more than 170 Pods also after the sidecar or the server has restarted, for up to N²/1,000 s",
		}
		version = health.Gauge{
			Name: "reims_health_schema_version", Label: "kind",
			Help:   "Version of the database's schema: the one it has (current) and the one that this release needs (required).",
			Absent: "where no schema version is required or, `current`, where it cannot be read",
		}
	)
	return []health.Measure{
		{Name: "connections_used", Gauge: connections.Of("used")},
		{Name: "connections_max", Gauge: connections.Of("max")},
		{Name: "app_connections_active", Gauge: app.Of("active")},
		{Name: "app_connections_idle", Gauge: app.Of("idle")},
		{Name: "app_connections_idle_in_transaction", Gauge: app.Of("idle in transaction")},
		{Name: "app_connections_other", Gauge: app.Of("other")},
		{Name: "schema_current", Title: "Schema version", Gauge: version.Of("current")},
		{Name: "schema_required", Title: "Schema needed", Gauge: version.Of("required")},
		{Name: "pool_active", Gauge: health.Gauge{Name: "db_pool_active", Help: "Connections in use in " + ownPool}},
		{Name: "pool_size", Gauge: health.Gauge{Name: "db_pool_size", Help: "Connections open, in use or idle, in " + ownPool}},
		{Name: "pool_free", Gauge: health.Gauge{Name: "db_pool_free", Help: "Connections open and idle in " + ownPool}},
		{Name: "database", Unit: health.UnitText},
		{Name: "version", Unit: health.UnitText},
		{Name: "endpoint", Unit: health.UnitText},
		dependency.CertificateMeasure(),
	}
}

func shares() []health.Share {
	return []health.Share{
		{Title: "The sidecar’s own pool", Parts: []health.Part{{Measure: "pool_active", Word: "in use"}}, Whole: "pool_size", Empty: "no connection open", Covers: "pool_free"},
		{Title: "The API’s connections", Parts: []health.Part{
			{Measure: "app_connections_active", Word: "active"},
			{Measure: "app_connections_idle", Word: "idle"},
			{Measure: "app_connections_idle_in_transaction", Word: "idle in transaction"},
			{Measure: "app_connections_other", Word: "other"},
		}, Empty: "none"},
		{Title: "The server’s connections", Parts: []health.Part{{Measure: "connections_used", Word: "in use"}}, Whole: "connections_max", Empty: "none"},
	}
}

// rows are those of the dashboard in which Pods are added up, compared or counted.
func rows() []dependency.Row {
	return []dependency.Row{
		{Title: "Connections of the API and of the sidecar", Panels: []dependency.Panel{
			{
				Title: "API's connections by state", Form: dependency.FormStacked,
				Description: "Connections that the APIs in these Pods hold, sampled every 30 s. Many idle in transaction block vacuum and locks.",
				Queries:     []dependency.Query{{Expr: "sum by (state) (reims_health_app_db_connections)", Legend: "{{state}}"}},
			},
			{
				Title: "API's connections by Pod", Form: dependency.FormTable, Labels: []string{"namespace", "pod"}, Value: "connections",
				Description: "The ten Pods whose API holds most. At its pool's size it waits for connections.",
				Queries:     []dependency.Query{{Expr: "topk(10, sum by (namespace, pod) (reims_health_app_db_connections))"}},
			},
			{
				Title: "Sidecars' own pools", Form: dependency.FormStacked,
				Description: "What the checks themselves cost the server: one or two connections per Pod, all sidecars added up.",
				Queries:     []dependency.Query{{Expr: "sum(db_pool_active)", Legend: "active"}, {Expr: "sum(db_pool_free)", Legend: "free"}},
			},
		}},
		{Title: "Schema", Panels: []dependency.Panel{{
			Title: "Schema versions", Form: dependency.FormTable, Labels: []string{"namespace", "kind", "version"}, Value: "Pods",
			Description: "Versions of the schema that Pods find (current) and need (required), and how many Pods. Empty where no version is required.",
			Queries:     []dependency.Query{{Expr: `count_values by (namespace, kind) ("version", reims_health_schema_version)`}},
		}}},
	}
}
