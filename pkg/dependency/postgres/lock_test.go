package postgres_test

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// pgSession is a connection of somebody else's.
type pgSession struct {
	t    *testing.T
	conn *pgx.Conn
}

func pgConnect(t *testing.T, address string) *pgSession {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return &pgSession{t, conn}
}

func (s *pgSession) exec(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// asks runs a statement that waits for a lock, until the session ends.
func (s *pgSession) asks(sql string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.conn.Exec(ctx, sql) // until it is cancelled
	}()
	s.t.Cleanup(func() { cancel(); <-ended })
}

func (s *pgSession) pid() string { return strconv.FormatUint(uint64(s.conn.PgConn().PID()), 10) }

// pgManaged is a server with a version table at version 2 and the role reader.
func pgManaged(t *testing.T, o servers.PostgresOptions) (pg *servers.Postgres, reader string) {
	t.Helper()
	pg = servers.RunPostgres(t, o)
	reader = pgRole(t, pg, "reader", "IN ROLE pg_monitor")
	for _, sql := range []string{
		gooseTable, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, true), (2, true)",
		"GRANT SELECT ON goose_db_version TO reader",
	} {
		if err := pg.SQL(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return pg, reader
}

// pgAll is every part of the check, in every check.
var pgAll = postgres.Options{
	Database: "reims", AppConnections: true, AppInterval: time.Nanosecond, RequiredSchema: 2,
}

// pgWatch is a probe over a wire that counts round trips.
func pgWatch(t *testing.T, pg *servers.Postgres, login string, o postgres.Options) (*postgres.Checker, *pgxpool.Pool, *checking.Wire) {
	t.Helper()
	w := checking.NewWire(t, pg.Addr())
	u, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = w.Addr()
	pool := pgPool(t, u.String())
	return pgNew(pool, o), pool, w
}

// pgOneTrip wants a check with that outcome in one round trip.
func pgOneTrip(t *testing.T, p *postgres.Checker, w *checking.Wire) (health.Observation, error) {
	t.Helper()
	before := w.Trips.Load()
	o, err := pgCheck(t, p, pgPatience)
	if n := w.Trips.Load() - before; n != 1 {
		t.Errorf("%d round trips in a check, want 1", n)
	}
	return o, err
}

// A lock on what only the version needs costs the version, and no check waits for it.
func TestPostgresVersionTableLocked(t *testing.T) {
	t.Parallel()
	pg, reader := pgManaged(t, servers.PostgresOptions{
		Settings: map[string]string{"max_prepared_transactions": "1"},
	})
	for _, c := range []struct {
		name string
		sql  string // of the session that locks, in a transaction
		then string // of a session that queues behind it
		end  string
		who  string // in the message; the session's own process where it is empty
	}{
		{name: "locked", sql: "LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE"},
		{name: "altered", sql: "ALTER TABLE goose_db_version ADD COLUMN other int"},
		{name: "given away", sql: "ALTER TABLE goose_db_version OWNER TO postgres; ALTER TABLE goose_db_version DISABLE TRIGGER ALL"},
		{name: "truncated", sql: "TRUNCATE goose_db_version"},
		{name: "dropped", sql: "DROP TABLE goose_db_version"},
		{name: "clustered", sql: "CLUSTER goose_db_version USING goose_db_version_pkey"},
		{name: "an index rebuilt", sql: "REINDEX INDEX goose_db_version_pkey"},
		{name: "read, and vacuumed fully behind that", sql: "SELECT FROM goose_db_version", then: "VACUUM FULL goose_db_version"},
		{
			name: "prepared", sql: "LOCK TABLE goose_db_version IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'x'",
			end: "ROLLBACK PREPARED 'x'", who: "pg_prepared_xacts",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, pool, w := pgWatch(t, pg, reader, pgAll)
			pgHealthy(t, p)
			locker, queued := pgConnect(t, pg.URL()), pgConnect(t, pg.URL())
			locker.exec("BEGIN; " + c.sql)
			who := locker.pid()
			if c.then != "" {
				who = queued.pid()
				queued.asks(c.then)
				poll.Until(t, "the statement waits", func() bool {
					var waits bool
					err := locker.conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").Scan(&waits)
					return err == nil && waits
				})
			}
			if c.who != "" {
				who = c.who
			}

			const fresh = "the first check of another probe"
			for _, check := range []struct {
				name string
				run  func() (health.Observation, error)
			}{
				{"the first check", func() (health.Observation, error) { return pgCheck(t, p, pgPatience) }},
				{"the second check", func() (health.Observation, error) { return pgOneTrip(t, p, w) }},
				{fresh, func() (health.Observation, error) { return pgCheck(t, pgNew(pool, pgAll), pgPatience) }},
			} {
				o, err := check.run()
				message := pgFault(t, err, postgres.ReasonSchemaBehind, pool)
				if !strings.Contains(message, "locks the table goose_db_version") || !strings.Contains(message, who) {
					t.Errorf("%s: message = %q, want it to name %s", check.name, message, who)
				}
				if strings.Contains(message, "It was 2") == (check.name == fresh) {
					t.Errorf("%s: message = %q", check.name, message)
				}
				if _, ok := o.Find("schema_current"); ok {
					t.Errorf("%s: a version that can't be read is reported", check.name)
				}
				for _, figure := range []string{"connections_used", "connections_max", "app_connections_idle"} {
					if _, ok := o.Find(figure); !ok {
						t.Errorf("%s: no %s", check.name, figure)
					}
				}
			}
			if end := c.end; end != "" {
				locker.exec(end)
			} else {
				locker.exec("ROLLBACK")
			}
			poll.Until(t, "healthy", func() bool {
				o, err := pgCheck(t, p, pgPatience)
				current, _ := o.Find("schema_current")
				return err == nil && current == 2
			})
			if _, err := pgOneTrip(t, p, w); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("granted in an open transaction", func(t *testing.T) {
		p, _, w := pgWatch(t, pg, reader, pgAll)
		pgHealthy(t, p)
		granting := pgConnect(t, pg.URL())
		granting.exec("BEGIN; GRANT SELECT ON goose_db_version TO PUBLIC")
		if _, err := pgOneTrip(t, p, w); err != nil {
			t.Error(err)
		}
		granting.exec("ROLLBACK")
	})
}

// Neither does a lock on the catalogue that figures are read from. What can't be read
// is absent, and not asked for in each check.
func TestPostgresCatalogueLocked(t *testing.T) {
	t.Parallel()
	pg, reader := pgManaged(t, servers.PostgresOptions{})
	for table, figures := range map[string][]string{
		"pg_database": {"connections_used", "app_connections_idle"},
		"pg_authid":   {"app_connections_idle"},
	} {
		t.Run(table, func(t *testing.T) {
			p, _, w := pgWatch(t, pg, reader, pgAll)
			pgHealthy(t, p)
			locker := pgConnect(t, pg.URL())
			locker.exec("BEGIN; LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE")
			pgHealthy(t, p)
			o, err := pgOneTrip(t, p, w)
			if err != nil {
				t.Error(err)
			}
			pgWantNumber(t, o, "schema_current", 2)
			for _, figure := range figures {
				if n, ok := o.Find(figure); ok {
					t.Errorf("%s = %v, though it can't be read", figure, n)
				}
			}
			locker.exec("ROLLBACK")
			p.Redial()
			o = pgHealthy(t, p)
			for _, figure := range figures {
				if _, ok := o.Find(figure); !ok {
					t.Errorf("no %s after the lock is gone", figure)
				}
			}
		})
	}
}
