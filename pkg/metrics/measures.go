package metrics

import "github.com/reims/reims-health/pkg/health"

// measure is a gauge made of what one service's probe measures.
type measure struct {
	service string
	name    string // of the metric
	help    string
	label   string // the label that tells the rows apart, or "" where there is one row
	rows    []row
	absent  string // when the probe does not report it, if it is on and well
}

// row shows one measure under one value of the label.
type row struct{ measure, value string }

// measures is the table. A measure that the latest check did not report is absent,
// and so are all of a service whose result is stale: that has no observation.
var measures = []measure{
	{
		service: "database", name: "reims_health_db_connections", label: "kind",
		help: "Connections of the whole PostgreSQL server, everybody's: used, and the most that it allows (max).",
		rows: []row{{"connections_used", "used"}, {"connections_max", "max"}},
	},
	{
		service: "database", name: "reims_health_app_db_connections", label: "state",
		help: "PostgreSQL connections that the API in this Pod holds, by state: those from the Pod's address, the sidecar's own left out. Sampled every 30 s.",
		rows: []row{
			{"app_connections_active", "active"},
			{"app_connections_idle", "idle"},
			{"app_connections_idle_in_transaction", "idle in transaction"},
			{"app_connections_other", "other"},
		},
		absent: "on a Unix socket, behind a pooler, where the role may not see them, or with DATABASE_APP_CONNECTIONS=off",
	},
	{
		service: "database", name: "reims_health_schema_version", label: "kind",
		help:   "Version of the database's schema: the one it has (current) and the one that this release needs (required).",
		rows:   []row{{"schema_current", "current"}, {"schema_required", "required"}},
		absent: "where no schema version is required or, `current`, where it cannot be read",
	},
	{
		service: "redis", name: "reims_health_redis_memory_bytes", label: "kind",
		help: "Memory of the Redis server in bytes: used, the most ever used (peak), and its maxmemory (max), where 0 is no limit.",
		rows: []row{{"memory_usage", "used"}, {"memory_peak", "peak"}, {"memory_max", "max"}},
	},
	{
		service: "database", name: "db_pool_active",
		help: "Connections in use in " + ownPool,
		rows: []row{{measure: "pool_active"}},
	},
	{
		service: "database", name: "db_pool_size",
		help: "Connections open, in use or idle, in " + ownPool,
		rows: []row{{measure: "pool_size"}},
	},
	{
		service: "database", name: "db_pool_free",
		help: "Connections open and idle in " + ownPool,
		rows: []row{{measure: "pool_free"}},
	},
}

const ownPool = "the sidecar's own PostgreSQL pool (not the API's: see reims_health_app_db_connections), sampled after the check has given its connection back."

func (m measure) gauge() gauge {
	f := family{name: m.name, help: m.help, absent: "while unreported or stale"}
	if m.label != "" {
		f.labels = []label{{m.label, m.values()}}
	}
	if m.absent != "" {
		f.absent += "; " + m.absent
	}
	return gauge{f, m.read}
}

func (m measure) values() []string {
	values := make([]string, len(m.rows))
	for i, r := range m.rows {
		values[i] = r.value
	}
	return values
}

func (m measure) read(v *health.View, emit emitter) {
	r, ok := v.Service(m.service)
	if !ok {
		return
	}
	for _, row := range m.rows {
		number, ok := r.Last.Observation.Find(row.measure)
		switch {
		case !ok:
		case m.label == "":
			emit(number)
		default:
			emit(number, row.value)
		}
	}
}
