package postgres_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/idle"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

// pgWatched returns a checker whose idle connections are watched.
func pgWatched(t *testing.T, address string) (*postgres.Checker, *idle.Watch) {
	t.Helper()
	watch := idle.NewWatch()
	t.Cleanup(watch.Stop) // before the pool is closed
	return pgNew(pgPool(t, address, pgImpatient), postgres.Options{Idle: watch}), watch
}

// What ends PostgreSQL is told by its connections, with TLS and without, and by a pooler's.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*servers.Postgres) error{
		"killed":  (*servers.Postgres).Kill,
		"stopped": (*servers.Postgres).Stop,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{})
			checker, watch := pgWatched(t, pg.URL())
			checking.TellsOfLoss(t, checker, watch, func() error { return end(pg) })
		})
	}
	t.Run("killed, with TLS", func(t *testing.T) {
		t.Parallel()
		pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
		checker, watch := pgWatched(t, pgAddress(t, pg, func(u *url.URL) { u.RawQuery = "sslmode=require" }))
		checking.TellsOfLoss(t, checker, watch, pg.Kill)
	})
	t.Run("pooler killed", func(t *testing.T) {
		t.Parallel()
		pg := servers.RunPostgres(t, servers.PostgresOptions{})
		pooler := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg})
		checker, watch := pgWatched(t, pooler.URL())
		checking.TellsOfLoss(t, checker, watch, pooler.Kill)
	})
}

// A server that closes idle connections on purpose is not checked in a loop.
func TestIdleSessionTimeout(t *testing.T) {
	t.Parallel()
	const closing = time.Second
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"idle_session_timeout": "1s"}})
	checker, watch := pgWatched(t, pg.URL())
	checking.ReconnectsOnce(t, checker, watch, closing)
}

// The watching reads nothing: the same connection answers the checks after it.
func TestWatchedConnectionIsKept(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	w := checking.NewWire(t, pg.Addr())
	checker, watch := pgWatched(t, pgAddress(t, pg, func(u *url.URL) { u.Host = w.Addr() }))
	checking.KeepsWatched(t, w, checker, watch)
}
