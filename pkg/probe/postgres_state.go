package probe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/health"
)

// stateSelect needs no right but to connect. numbackends counts, unlike a count
// over pg_stat_activity by type, without pg_read_all_stats; background workers
// that are attached to a database are among them.
const stateSelect = `
SELECT split_part(current_setting('server_version'), ' ', 1),
       current_setting('transaction_read_only') = 'on',
       pg_is_in_recovery(),
       (SELECT sum(numbackends) FROM pg_stat_database)::bigint,
       current_setting('max_connections')::bigint`

// postgresState is what the statement tells.
type postgresState struct {
	latency  time.Duration
	version  string
	readOnly bool // of whatever reason, being a standby included
	standby  bool
	used     int64
	max      int64
	schema   *schemaVersion // nil unless it was asked for
	app      *appSample     // nil unless it was asked for
}

// queryState asks in one statement and one round trip: QueryExecModeExec sends
// everything at once and prepares nothing, which is also what PgBouncer's
// transaction mode needs.
func queryState(ctx context.Context, conn *pgx.Conn, schema, sample bool) (*postgresState, error) {
	sql, s := stateSelect, new(postgresState)
	dest := []any{&s.version, &s.readOnly, &s.standby, &s.used, &s.max}
	if schema {
		s.schema = new(schemaVersion)
		sql, dest = sql+schemaSelect, append(dest, s.schema.dest()...)
	}
	if sample {
		s.app = new(appSample)
		sql, dest = sql+appSelect, append(dest, s.app.dest()...)
	}
	start := time.Now()
	if err := conn.QueryRow(ctx, sql, pgx.QueryExecModeExec).Scan(dest...); err != nil {
		return nil, err
	}
	s.latency = time.Since(start)
	return s, nil
}

func (p *Postgres) stateMeasures(s *postgresState) []health.Measure {
	measures := []health.Measure{
		health.Text("database", p.opts.Database),
		health.Text("version", "PostgreSQL "+s.version),
		health.Number("connections_used", s.used),
		health.Number("connections_max", s.max),
	}
	if s.schema != nil {
		measures = append(measures, s.schema.measures(p.opts.RequiredSchema)...)
	}
	return measures
}
