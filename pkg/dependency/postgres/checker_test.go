package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/test/checking"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

func pgNames(o health.Observation) (names []string) {
	for _, m := range o.Values {
		names = append(names, m.Name)
	}
	return names
}

func TestPostgresHealthy(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"max_connections": "17"}})
	pool := pgPool(t, pgRole(t, pg, "nobody", ""))
	p := pgNew(pool, postgres.Options{Database: "reims"})

	o := pgHealthy(t, p)
	want := []string{
		"pool_size", "pool_free", "pool_active", "database", "version", "connections_used", "connections_max", "endpoint",
	}
	if diff := cmp.Diff(want, pgNames(o)); diff != "" {
		t.Errorf("measures (-want +got):\n%s", diff)
	}
	if o.Latency <= 0 || o.Latency > pgPatience {
		t.Errorf("latency = %v", o.Latency)
	}
	if m := o.Values[3]; m.Text != "reims" {
		t.Errorf("database = %q", m.Text)
	}
	if m := o.Values[4]; !regexp.MustCompile(`^PostgreSQL \d+(\.\d+)?$`).MatchString(m.Text) {
		t.Errorf("version = %q", m.Text)
	}
	if m := o.Values[len(o.Values)-1]; m.Text != pg.Addr() {
		t.Errorf("endpoint = %q, want %s", m.Text, pg.Addr())
	}
	pgWantNumber(t, o, "connections_max", 17)

	others := pgPool(t, pg.URL())
	for range 2 {
		conn, err := others.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
	pgWantUsed(t, p, 3)
}

func TestPostgresOneStatementOneRoundTrip(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.SQL(t.Context(), gooseTable); err != nil {
		t.Fatal(err)
	}
	if err := pg.SQL(t.Context(), "UPDATE goose_db_version SET version_id = 1"); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]postgres.Options{
		"plain":   {},
		"sampled": {AppConnections: true, AppInterval: time.Nanosecond},
		"all":     {AppConnections: true, AppInterval: time.Nanosecond, RequiredSchema: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, statements := checking.NewWire(t, pg.Addr()), new(pgStatements)
			address := pgAddress(t, pg, func(u *url.URL) { u.Host = wire.Addr() })
			pool := pgPool(t, address, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = statements })
			p := pgNew(pool, options)
			pgHealthy(t, p)
			for range 5 {
				before, trips := statements.Load(), wire.Trips.Load()
				pgHealthy(t, p)
				if n := statements.Load() - before; n != 1 {
					t.Errorf("%d statements in a check, want 1", n)
				}
				if n := wire.Trips.Load() - trips; n != 1 {
					t.Errorf("%d round trips in a check, want 1", n)
				}
			}
		})
	}
}

// The pool is of one connection for ever, which is another one after a minute, and
// dialled by the check that gives up the old one.
func TestPostgresConnectionLifetime(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	wire := checking.NewWire(t, pg.Addr())
	pool := pgPool(t, pgAddress(t, pg, func(u *url.URL) { u.Host = wire.Addr() }))
	p := pgNew(pool, postgres.Options{})
	for life := range int64(5) {
		p.EndLifetime()
		for range 3 {
			o := pgHealthy(t, p)
			pgWantNumber(t, o, "pool_size", 1)
			pgWantNumber(t, o, "pool_free", 1)
			pgWantNumber(t, o, "pool_active", 0)
			if n := wire.Dials.Load(); n != life+1 {
				t.Errorf("%d connections in %d lifetimes", n, life+1)
			}
		}
	}
}

// The legacy gauge db_pool_active is alerted on: at rest it is zero, also when the
// connection is closed as it is given back.
func TestPostgresPoolAtRest(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	const lifetime = 50 * time.Millisecond
	for name, c := range map[string]struct {
		edit func(*pgxpool.Config)
		size float64
	}{
		"living": {func(*pgxpool.Config) {}, 1},
		"expired": {func(cfg *pgxpool.Config) {
			cfg.MaxConnLifetime, cfg.ConnConfig.Tracer = lifetime, pgOutlive(lifetime)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pgNew(pgPool(t, pg.URL(), c.edit), postgres.Options{})
			for range 5 {
				o := pgHealthy(t, p)
				pgWantNumber(t, o, "pool_active", 0)
				pgWantNumber(t, o, "pool_free", c.size)
				pgWantNumber(t, o, "pool_size", c.size)
			}
		})
	}
}

// pgOutlive holds each statement until the connection's lifetime has passed.
type pgOutlive time.Duration

func (d pgOutlive) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	<-time.After(time.Duration(d))
	return ctx
}

func (d pgOutlive) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestPostgresReadOnly(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := pgPool(t, pgRole(t, pg, "reader", ""))
	if err := pg.SQL(t.Context(), "ALTER ROLE reader SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	strict := pgNew(pool, postgres.Options{})
	o, err := pgCheck(t, strict, pgPatience)
	message := pgFault(t, err, health.ReasonReadOnly, pool)
	if !regexp.MustCompile("default_transaction_read_only").MatchString(message) {
		t.Errorf("message = %q", message)
	}
	if o.Latency == 0 || len(o.Values) < 7 {
		t.Errorf("a read-only server's observation lacks facts: %+v", o)
	}
	pgHealthy(t, pgNew(pool, postgres.Options{AllowReplica: true}))

	// The old connection still says read-only after the setting is gone.
	if err := pg.SQL(t.Context(), "ALTER ROLE reader RESET default_transaction_read_only"); err != nil {
		t.Fatal(err)
	}
	_, err = pgCheck(t, strict, pgPatience)
	pgFault(t, err, health.ReasonReadOnly, pool)
	strict.Redial()
	pgHealthy(t, strict)
}

// A pooled connection that died since the last check is no fault of the server now.
func TestPostgresPooledConnectionDied(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := pgPool(t, pg.URL())
	p := pgNew(pool, postgres.Options{})
	pgHealthy(t, p)

	t.Run("session ended", func(t *testing.T) {
		if err := pg.SQL(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reims-health'"); err != nil {
			t.Fatal(err)
		}
		pgHealthy(t, p)
	})
	t.Run("killed and restarted", func(t *testing.T) {
		if err := pg.Kill(); err != nil {
			t.Fatal(err)
		}
		_, err := pgCheck(t, p, pgPatience)
		pgFault(t, err, health.ReasonRefused, pool)
		if err := pg.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pgHealthy(t, p)
		if err := errors.Join(pg.Kill(), pg.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		pgHealthy(t, p)
	})
}

func TestPostgresUnixSocketOfNoServer(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	u := url.URL{Scheme: "postgres", Path: "/reims", RawQuery: "host=" + url.QueryEscape(directory)}
	pool := pgPool(t, u.String())
	seen, err := pgCheck(t, pgNew(pool, postgres.Options{}), pgPatience)
	pgFault(t, err, health.ReasonRefused, pool)
	if m := seen.Values[len(seen.Values)-1]; m.Name != "endpoint" || m.Text != directory+"/.s.PGSQL.5432" {
		t.Errorf("%s = %q, want the socket's path", m.Name, m.Text)
	}
}

func TestPostgresWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	checking.SeveralAddresses(t, 21, pg.Port(), false, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		db, err := database.Open(t.Context(), database.Config{
			Host: "several.example", Port: uint16(pg.Port()), Name: pg.Database, User: pg.User, Password: checking.Password(pg.Password),
			MinConns: -1, MaxConns: 2, SkipPing: true,
			ConnectTimeout: timeout, CommandTimeout: timeout, Lookup: lookup,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return pgNew(db.Pool(), postgres.Options{})
	})
}
