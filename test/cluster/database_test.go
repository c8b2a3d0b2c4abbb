//go:build e2e

package cluster_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/test/servers"
)

// database is a PostgreSQL with the roles of config/roles.sql: the sidecar logs in as
// one that may read no row, the migrations as the tables' owner.
type database struct {
	*servers.Postgres
	healthPassword, migratorPassword string
}

func runDatabase(t testing.TB) *database {
	t.Helper()
	d := &database{
		Postgres:       servers.RunPostgres(t, servers.PostgresOptions{Options: servers.Options{Host: env.host}}),
		healthPassword: rand.Text(), migratorPassword: rand.Text(),
	}
	roles, err := os.ReadFile("../../config/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	d.exec(t, string(roles))
	d.exec(t, setPassword("reims_health", d.healthPassword))
	d.exec(t, setPassword("reims_migrator", d.migratorPassword))
	return d
}

func setPassword(role, password string) string {
	return fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, password)
}

func (d *database) exec(t testing.TB, statements string) {
	t.Helper()
	if err := d.SQL(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// version returns that of the schema.
func (d *database) version(t testing.TB) (version int) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const query = "SELECT max(version_id) FROM goose_db_version WHERE is_applied"
	if err := conn.QueryRow(ctx, query).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// rotate gives the sidecar's role a new password, and ends its connections, as a
// restart of the server some day would.
func (d *database) rotate(t testing.TB) {
	t.Helper()
	d.healthPassword = rand.Text()
	d.exec(t, setPassword("reims_health", d.healthPassword))
	d.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reims_health'")
}
