package servers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

func query[T any](ctx context.Context, url, sql string) (value T, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return value, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, sql).Scan(&value)
	return value, err
}

func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.SQL(t.Context(), "create table kept (n int); insert into kept values (42)"); err != nil {
		t.Fatal(err)
	}
	testFaults(t, pg, func(ctx context.Context) error {
		n, err := query[int](ctx, pg.URL(), "select n from kept")
		if err == nil && n != 42 {
			t.Errorf("kept %d, want 42", n)
		}
		return err
	})
}

// A backend leaves the group of its server, and must freeze all the same.
func TestPostgresFreezesBackends(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	conn, err := pgx.Connect(t.Context(), pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), frozen)
	defer cancel()
	if _, err := conn.Exec(ctx, "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("query on a frozen server: %v, want deadline exceeded", err)
	}
	if err := pg.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresOptions(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{
		TLS:      true,
		Settings: map[string]string{"max_connections": "7", "cluster_name": "it's"},
		HBA:      []string{"hostssl postgres,reims all 127.0.0.1/32 scram-sha-256"},
	})
	for setting, want := range map[string]string{"max_connections": "7", "cluster_name": "it's"} {
		if got, err := query[string](t.Context(), pg.URL(), "show "+setting); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", setting, got, want, err)
		}
	}
	over, err := query[bool](t.Context(), pg.URL(), "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
	if err != nil || !over {
		t.Errorf("connected over TLS: %t (%v)", over, err)
	}
	plain, err := pgx.ParseConfig(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	plain.TLSConfig = nil
	_, err = pgx.ConnectConfig(t.Context(), plain)
	wantCode(t, err, "28000")
}

func TestPostgresWantsThePassword(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	config, err := pgx.ParseConfig(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "another"
	_, err = pgx.ConnectConfig(t.Context(), config)
	wantCode(t, err, "28P01")
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("got %v, want SQLSTATE %s", err, code)
	}
}

func TestStandby(t *testing.T) {
	t.Parallel()
	primary := servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
	standby := servers.RunStandby(t, primary)
	if err := primary.SQL(t.Context(), "create table streamed ()"); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "the table is on the standby", func() bool {
		_, err := query[int](t.Context(), standby.URL(), "select count(*) from streamed")
		return err == nil
	})
	wantCode(t, errors.Unwrap(standby.SQL(t.Context(), "create table refused ()")), "25006")
	if err := standby.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := standby.SQL(t.Context(), "create table taken ()"); err != nil {
		t.Error(err)
	}
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pooler := servers.RunPgBouncer(t, servers.PgBouncerOptions{
		Postgres: pg, Settings: map[string]string{"default_pool_size": "1"},
	})
	url := pooler.URL() + "&default_query_exec_mode=exec"
	var backends [2]int // of two clients, who share the one connection
	for i := range backends {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		if err := conn.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&backends[i]); err != nil {
			t.Fatal(err)
		}
	}
	if backends[0] != backends[1] {
		t.Errorf("two clients have backends %v, want one", backends)
	}
	testFaults(t, pooler, func(ctx context.Context) error {
		_, err := query[int](ctx, url, "select 1")
		return err
	})
}

func TestPostgresVersion(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Version: 18, TLS: true})
	version, err := query[string](t.Context(), pg.URL(), "show server_version")
	if err != nil || !strings.HasPrefix(version, "18.") {
		t.Errorf("the server says %q (%v), want 18.x", version, err)
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresUnknownVersion(t *testing.T) {
	t.Parallel()
	pg, err := servers.StartPostgres(t.Context(), servers.PostgresOptions{
		Options: servers.Options{Dir: servers.TempDir(t)}, Version: 3,
	})
	if err == nil {
		t.Error("started PostgreSQL 3", pg.Close())
	}
}
