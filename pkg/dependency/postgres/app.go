package postgres

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/health"
)

// appPart counts the connections that come from our own address, which the
// containers of a Pod share. Sidecars are told from the API by their
// application_name, so neither our second connection nor, on a developer's machine,
// another sidecar counts.
func appPart() part {
	return part{
		name: "app_connections", advice: "GRANT SELECT ON pg_stat_activity TO the role, or set {APP_CONNECTIONS}=off",
		sql: `SELECT pg_catalog.pg_backend_pid(),
       coalesce(pg_catalog.host(pg_catalog.inet_client_addr()), ''),
       pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.<>) '',
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
       pg_catalog.count(*) FILTER (WHERE state OPERATOR(pg_catalog.=) 'active'),
       pg_catalog.count(*) FILTER (WHERE state OPERATOR(pg_catalog.=) 'idle'),
       pg_catalog.count(*) FILTER (WHERE pg_catalog.starts_with(state, 'idle in transaction')),
       pg_catalog.count(*)
  FROM pg_catalog.pg_stat_activity
 WHERE client_addr OPERATOR(pg_catalog.=) pg_catalog.inet_client_addr()
   AND backend_type OPERATOR(pg_catalog.=) 'client backend'
   AND application_name OPERATOR(pg_catalog.<>) pg_catalog.current_setting('application_name')`,
		scan: func(s *state, a *answer) {
			s.app = &appSample{
				pid: a.number(), address: a.text(), named: a.flag(), seesAll: a.flag(),
				active: a.number(), idle: a.number(), idleInTransaction: a.number(), total: a.number(),
			}
		},
	}
}

// appSample is one count of the API's connections, and what is needed to tell
// whether it can be believed.
type appSample struct {
	pid     int64  // of the backend that answered
	address string // our own, as the server sees it; empty on a Unix socket
	named   bool   // our connections can be told from the API's
	seesAll bool   // the role sees the connections of every role

	active, idle, idleInTransaction, total int64
}

// attributable reports whether connections from our address are this Pod's: not
// on a Unix socket, not when a pooler holds the server's connections (they are
// not those of the clients) and not behind a translation of addresses, where
// other Pods have the same one.
func (s *appSample) attributable(conn *pgconn.PgConn) bool {
	local, ok := conn.Conn().LocalAddr().(*net.TCPAddr)
	if !ok || !s.named || s.pid != int64(conn.PID()) {
		return false
	}
	seen, err := netip.ParseAddr(s.address)
	return err == nil && seen.Unmap() == local.AddrPort().Addr().Unmap().WithZone("")
}

// appConnections holds the latest count until the next one.
type appConnections struct {
	takenAt  time.Time
	measures []health.Value // none when the count can't be believed
	seen     bool           // a count was above zero
}

// due reports whether it is time for a count: at least so long after the latest one, and in
// a large workload longer. There, what has no count yet takes it at a random moment, so
// that the Pods do not all count when a server is back.
func (a *appConnections) due(least time.Duration, pods int) bool {
	interval := max(least, fleetInterval(pods))
	if a.takenAt.IsZero() && interval > least {
		a.takenAt = time.Now().Add(-rand.N(interval))
	}
	return a.takenAt.IsZero() || time.Since(a.takenAt) >= interval
}

// rowsPerSecond is how many rows of pg_stat_activity all Pods together may read.
const rowsPerSecond = 1000

// fleetInterval is the time between two counts of one Pod with which so many Pods stay
// within rowsPerSecond, where each of them has one connection or so: a count reads the rows
// of all of them, so the cost is the square of their number.
func fleetInterval(pods int) time.Duration {
	pods = min(max(pods, 0), maxPods)
	return time.Duration(pods) * time.Duration(pods) * time.Second / rowsPerSecond
}

// maxPods is above what DNS lists, and the square of it in nanoseconds is within a
// [time.Duration].
const maxPods = 50_000

// forget drops the count: a server that was away may have lost the connections.
func (a *appConnections) forget() { a.takenAt, a.measures = time.Time{}, nil }

// take keeps a count made on conn if it is true. A role without pg_read_all_stats sees its own
// connections only: zero of them may as well mean that the API logs in as another
// role. So its count is believed from the first connection on that it saw.
func (a *appConnections) take(s *appSample, conn *pgconn.PgConn) {
	a.takenAt, a.measures = time.Now(), nil
	if s == nil || !s.attributable(conn) {
		return
	}
	a.seen = a.seen || s.total > 0
	if !s.seesAll && !a.seen {
		return
	}
	a.measures = []health.Value{
		health.Number("app_connections_active", s.active),
		health.Number("app_connections_idle", s.idle),
		health.Number("app_connections_idle_in_transaction", s.idleInTransaction),
		health.Number("app_connections_other", s.total-s.active-s.idle-s.idleInTransaction),
	}
}
