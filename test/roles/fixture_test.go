package roles_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

const password = "roles-test-password"

// onEachVersion runs the test on each PostgreSQL that is supported.
func onEachVersion(t *testing.T, o servers.PostgresOptions, test func(t *testing.T, pg *servers.Postgres)) {
	t.Helper()
	for name, version := range map[string]int{"debian": 0, "18": 18} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := o
			o.Version = version
			test(t, servers.RunPostgres(t, o))
		})
	}
}

// createRoles runs config/roles.sql on the connection, and sets passwords.
func createRoles(t *testing.T, admin *pgx.Conn) {
	t.Helper()
	script, err := os.ReadFile("../../config/roles.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, statements := range []string{
		string(script),
		string(script), // it may be run again
		"ALTER ROLE reims_migrator PASSWORD '" + password + "'; ALTER ROLE reims_app PASSWORD '" + password + "'; ALTER ROLE reims_health PASSWORD '" + password + "'",
	} {
		if _, err := admin.Exec(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
	}
}

// login connects as the role.
func login(t *testing.T, pg *servers.Postgres, role, password string) *pgx.Conn {
	t.Helper()
	conn, err := dial(t, pg, role, password)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func dial(t *testing.T, pg *servers.Postgres, role, password string) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Password = role, password
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	}
	return conn, err
}

// open opens a pool as the sidecar's is.
func open(t *testing.T, pg *servers.Postgres, role string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{
		Host: pg.Host(), Port: uint16(pg.Port()), Name: pg.Database, User: role,
		Password: func(context.Context) (string, error) { return password, nil },
		MinConns: -1, MaxConns: 2, SkipPing: true, ConnectTimeout: 10 * time.Second, CommandTimeout: 10 * time.Second,
		ApplicationName: "reims-health",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// migrateUp brings the database to the latest version as the migrator.
func migrateUp(t *testing.T, pg *servers.Postgres) {
	t.Helper()
	migrator, err := migrate.New(open(t, pg, "reims_migrator").Pool(), migrate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// may runs statements that the role needs.
func may(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Errorf("%s may not run %q: %v", conn.Config().User, s, err)
		}
	}
}

// mayNot runs statements that must fail for want of a right.
func mayNot(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := conn.Exec(t.Context(), s)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s runs %q: %v, want SQLSTATE 42501", conn.Config().User, s, err)
		}
	}
}
