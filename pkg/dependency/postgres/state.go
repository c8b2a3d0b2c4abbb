package postgres

import (
	"math/rand/v2"
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
	sidecars *int64
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

const usedName = "connections_used"

// usedPart counts the connections. numbackends counts, unlike a count over
// pg_stat_activity by type, without pg_read_all_stats; background workers that are
// attached to a database are among them.
func usedPart() part {
	return part{
		name: usedName, advice: "GRANT SELECT ON pg_stat_database TO the role",
		sql:  "SELECT pg_catalog.sum(numbackends) FROM pg_catalog.pg_stat_database",
		scan: func(s *state, a *answer) { used := a.number(); s.used = &used },
	}
}

// sidecarsPart counts the sidecars that are connected directly, by the application_name that
// all have. Every role sees that of every session.
func sidecarsPart() part {
	return part{
		name: "how many sidecars there are", advice: "GRANT SELECT ON pg_stat_activity TO the role",
		sql: `SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
 WHERE application_name OPERATOR(pg_catalog.=) pg_catalog.current_setting('application_name')`,
		scan: func(s *state, a *answer) { sidecars := a.number(); s.sidecars = &sidecars },
	}
}

// usedWatch decides how often the server's connections are counted. A count makes the server
// copy the state of each of them, for pg_stat_database too, so that N sidecars that count at each
// check cost the square of N.
type usedWatch struct {
	takenAt, askedAt time.Time // of the latest count, and of the latest one of the sidecars
	used             *int64    // none where it is not known now
	known            int64     // as used, also after a failure
	sidecars         int64     // as counted latest
}

const (
	usedRowsPerSecond = 20_000           // of connections that all sidecars together may read
	sidecarsInterval  = 30 * time.Second // the least time between two counts of the sidecars; beside many, all read rowsPerSecond
)

// interval is the time between two counts with which so many sidecars stay within
// usedRowsPerSecond: below 316 connections that are all of sidecars, less than that of the checks.
func (u *usedWatch) interval(sidecars int) time.Duration {
	n, rows := min(int64(sidecars), maxPods), min(u.known, maxPods)
	d := time.Duration(n*rows) * time.Second / usedRowsPerSecond
	if d < time.Second { // few: at each check, however soon it comes
		return 0
	}
	return d
}

// due reports whether the connections, and whether the sidecars, are to be counted now. After a
// failure, which all sidecars have at once, the first count is at a random moment of the interval.
func (u *usedWatch) due(now time.Time, sidecars int) (used, count bool) {
	interval := u.interval(sidecars)
	if u.takenAt.IsZero() && interval > sidecarsInterval/3 {
		u.takenAt = now.Add(-rand.N(interval))
	}
	used = now.Sub(u.takenAt) >= interval
	return used, used && now.Sub(u.askedAt) >= max(sidecarsInterval, interval*usedRowsPerSecond/rowsPerSecond)
}

// take keeps what a check counted.
func (u *usedWatch) take(now time.Time, s *state) {
	if s.used != nil {
		u.takenAt, u.used, u.known = now, s.used, *s.used
	}
	if s.sidecars != nil {
		u.askedAt, u.sidecars = now, *s.sidecars
	}
}

// forget drops the count: a server that was away has lost its connections.
func (u *usedWatch) forget() { u.takenAt, u.used = time.Time{}, nil }

// sidecars is how many there are, as far as it is known.
func (p *Checker) sidecars() int { return max(p.opts.Pods(), int(p.used.sidecars)) }

func (p *Checker) stateMeasures(s *state) []health.Value {
	measures := []health.Value{
		health.Text("database", p.opts.Database),
		health.Text("version", "PostgreSQL "+s.version),
	}
	if used := p.used.used; used != nil {
		measures = append(measures, health.Number("connections_used", *used))
	}
	measures = append(measures, health.Number("connections_max", s.max))
	if s.schema != nil {
		measures = append(measures, s.schema.measures(p.opts.RequiredSchema)...)
	}
	return measures
}
