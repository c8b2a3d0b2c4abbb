package postgres

import (
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// state is what the server tells. The pointers are nil where it did not.
type state struct {
	latency  time.Duration
	version  string
	readOnly bool // of whatever reason, being a standby included
	max      int64
	standby  *bool
	used     *int64
	writes   *writes
	schema   *schemaVersion
	lock     *tableLock
	app      *appSample
}

// coreParts answer whether the server is up and accepts writes. SHOW needs no right
// but to log in, reads no table and waits for no lock.
func coreParts() []part {
	return []part{
		{sql: "SHOW transaction_read_only", scan: func(s *state, a *answer) {
			switch value := a.text(); value {
			case "on", "off":
				s.readOnly = value == "on"
			default:
				a.fail(value)
			}
		}},
		{sql: "SHOW server_version", scan: func(s *state, a *answer) {
			s.version, _, _ = strings.Cut(a.text(), " ") // of "15.14 (Debian 15.14-0+deb12u1)"
		}},
		{sql: "SHOW max_connections", scan: func(s *state, a *answer) { s.max = a.number() }},
	}
}

func standbyPart() part {
	return part{
		name: "whether it is a standby", advice: "GRANT EXECUTE ON FUNCTION pg_is_in_recovery() TO the role",
		sql:  "SELECT pg_catalog.pg_is_in_recovery()",
		scan: func(s *state, a *answer) { standby := a.flag(); s.standby = &standby },
	}
}

// usedPart counts the connections. numbackends counts, unlike a count over
// pg_stat_activity by type, without pg_read_all_stats; background workers that are
// attached to a database are among them.
func usedPart() part {
	return part{
		name: "connections_used", advice: "GRANT SELECT ON pg_stat_database TO the role",
		sql:  "SELECT pg_catalog.sum(numbackends) FROM pg_catalog.pg_stat_database",
		scan: func(s *state, a *answer) { used := a.number(); s.used = &used },
	}
}

func (p *Checker) stateMeasures(s *state) []health.Value {
	measures := []health.Value{
		health.Text("database", p.opts.Database),
		health.Text("version", "PostgreSQL "+s.version),
	}
	if s.used != nil {
		measures = append(measures, health.Number("connections_used", *s.used))
	}
	measures = append(measures, health.Number("connections_max", s.max))
	if s.schema != nil {
		measures = append(measures, s.schema.measures(p.opts.RequiredSchema)...)
	}
	return measures
}
