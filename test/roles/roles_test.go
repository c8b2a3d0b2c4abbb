package roles_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

const insert = "INSERT INTO properties (name, address, city, state) VALUES ('n', 'a', 'c', 's')"

func TestRoles(t *testing.T) {
	t.Parallel()
	onEachVersion(t, servers.PostgresOptions{}, func(t *testing.T, pg *servers.Postgres) {
		t.Helper()
		admin := login(t, pg, pg.User, pg.Password)
		createRoles(t, admin)
		migrateUp(t, pg)
		app := login(t, pg, "reims_app", password)
		testApp(t, app)
		testProbe(t, pg)
		testHealth(t, login(t, pg, "reims_health", password), app)
		testHealthInCatalog(t, admin)
	})
}

func testApp(t *testing.T, app *pgx.Conn) {
	t.Helper()
	may(t, app, insert, "UPDATE properties SET city = 'd'", "SELECT * FROM properties", "DELETE FROM properties",
		"SELECT max(version_id) FROM goose_db_version")
	mayNot(t, app,
		"CREATE TABLE t ()", "CREATE TEMPORARY TABLE t ()", "CREATE SCHEMA s", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"ALTER TABLE properties ADD COLUMN c int", "ALTER TABLE properties DISABLE TRIGGER ALL", "TRUNCATE properties",
		"DROP TABLE properties", "CREATE INDEX ON properties (name)", "DROP INDEX idx_properties_status",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)", "DELETE FROM goose_db_version",
		"DROP FUNCTION update_properties_updated_at CASCADE", "SET ROLE reims_migrator", "CREATE ROLE r")
}

// testProbe runs the sidecar's own check, which has to see everything: the
// superuser's and the application's connections too, and that they are idle.
func testProbe(t *testing.T, pg *servers.Postgres) {
	t.Helper()
	check := postgres.New(postgres.Options{
		Pool:     open(t, pg, "reims_health").Pool(),
		Database: pg.Database, RequiredSchema: migrations.Required, AppConnections: true, AppInterval: time.Nanosecond,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for { // a connection is idle a moment after its answer
		seen, err := check.Check(ctx)
		current, _ := seen.Find("schema_current")
		idle, _ := seen.Find("app_connections_idle")
		switch {
		case err == nil && current == 3 && idle >= 2:
			return
		case ctx.Err() != nil:
			t.Fatalf("the probe: %v, %+v", err, seen.Values)
		}
	}
}

func testHealth(t *testing.T, health, app *pgx.Conn) {
	t.Helper()
	may(t, health, "SELECT max(version_id) FROM goose_db_version", "SELECT client_addr, state FROM pg_stat_activity")
	report, err := migrate.Verify(t.Context(), health)
	if err != nil || report.Err(true) != nil || report.Version == nil {
		t.Errorf("verify as %s: %v, %+v", health.Config().User, err, report)
	}
	mayNot(t, health,
		"SELECT FROM properties", insert, "UPDATE properties SET city = 'd'", "DELETE FROM properties", "DO $$ BEGIN LOCK properties; END $$",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)", "UPDATE goose_db_version SET version_id = 9",
		"CREATE TABLE t ()", "CREATE TEMPORARY TABLE t ()", "CREATE SCHEMA s", "CREATE ROLE r", "CREATE DATABASE d",
		"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "ALTER TABLE goose_db_version ADD COLUMN c int",
		"SET ROLE reims_app", "SET ROLE reims_migrator", "COPY (SELECT 1) TO '/tmp/reims-health'", "SELECT pg_read_file('PG_VERSION')",
		"SELECT pg_reload_conf()", "ALTER SYSTEM SET work_mem = '1MB'",
		fmt.Sprintf("SELECT pg_terminate_backend(%d)", app.PgConn().PID()))
}

// testHealthInCatalog looks for rights that nobody thought of.
func testHealthInCatalog(t *testing.T, admin *pgx.Conn) {
	t.Helper()
	const rights = `
		SELECT array_agg(what ORDER BY what) FROM (
		    SELECT format('%s on %s', p, c.oid::regclass) AS what
		      FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
		     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
		       AND has_table_privilege('reims_health', c.oid, p)
		    UNION ALL
		    SELECT format('%s on sequence %s', p, c.oid::regclass) FROM pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p
		     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' AND has_sequence_privilege('reims_health', c.oid, p)
		    UNION ALL
		    SELECT format('CREATE in %s', n.nspname) FROM pg_namespace n WHERE has_schema_privilege('reims_health', n.oid, 'CREATE')
		    UNION ALL
		    SELECT format('%s on the database', p) FROM unnest(ARRAY['CREATE', 'TEMPORARY']) AS p
		     WHERE has_database_privilege('reims_health', current_database(), p)
		    UNION ALL
		    SELECT 'member of ' || roleid::regrole FROM pg_auth_members
		     WHERE member = 'reims_health'::regrole AND roleid::regrole::text <> 'pg_use_reserved_connections'
		    UNION ALL
		    SELECT 'owner of something' FROM pg_shdepend WHERE refobjid = 'reims_health'::regrole AND deptype = 'o'
		    UNION ALL
		    SELECT 'an attribute of its own' FROM pg_roles
		     WHERE rolname = 'reims_health' AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
		) AS found`
	var got []string
	if err := admin.QueryRow(t.Context(), rights).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"SELECT on goose_db_version", "member of pg_read_all_stats"}, got); diff != "" {
		t.Errorf("the rights of reims_health, -want +got:\n%s", diff)
	}
}

// A database that is there already, made without this program, everything in it the
// superuser's.
func TestRolesTakeOver(t *testing.T) {
	t.Parallel()
	onEachVersion(t, servers.PostgresOptions{}, func(t *testing.T, pg *servers.Postgres) {
		t.Helper()
		first, err := migrations.FS.ReadFile("00001_properties.sql")
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(first), "-- +goose Down")
		admin := login(t, pg, pg.User, pg.Password)
		may(t, admin, up, insert)
		createRoles(t, admin)
		migrateUp(t, pg)
		app := login(t, pg, "reims_app", password)
		testApp(t, app)
		testHealth(t, login(t, pg, "reims_health", password), app)
		testHealthInCatalog(t, admin)
	})
}

// On a managed server nobody is a superuser.
func TestRolesWithoutSuperuser(t *testing.T) {
	t.Parallel()
	onEachVersion(t, servers.PostgresOptions{}, func(t *testing.T, pg *servers.Postgres) {
		t.Helper()
		superuser := login(t, pg, pg.User, pg.Password)
		may(t, superuser, "CREATE ROLE owner LOGIN CREATEROLE PASSWORD '"+password+"'",
			"ALTER DATABASE reims OWNER TO owner", "GRANT pg_read_all_stats TO owner WITH ADMIN OPTION")
		createRoles(t, login(t, pg, "owner", password))
		migrateUp(t, pg)
		app := login(t, pg, "reims_app", password)
		testApp(t, app)
		testHealth(t, login(t, pg, "reims_health", password), app)
		testHealthInCatalog(t, superuser)
	})
}

// What the script makes is what goose makes.
func TestRolesVersionTable(t *testing.T) {
	t.Parallel()
	onEachVersion(t, servers.PostgresOptions{}, func(t *testing.T, pg *servers.Postgres) {
		t.Helper()
		admin := login(t, pg, pg.User, pg.Password)
		createRoles(t, admin)
		describe := func() *migrate.Catalog {
			d, err := migrate.ReadDatabase(t.Context(), admin, []string{"goose_db_version"}, nil)
			if err != nil || len(d.Columns) == 0 {
				t.Fatal(err, d)
			}
			return &d.Catalog
		}
		ours := describe()
		may(t, admin, "DROP TABLE goose_db_version")
		migrateUp(t, pg)
		if diff := cmp.Diff(ours, describe()); diff != "" {
			t.Errorf("goose_db_version, -ours +goose's:\n%s", diff)
		}
		createRoles(t, admin)
		testApp(t, login(t, pg, "reims_app", password))
	})
}

// From PostgreSQL 16 on, the sidecar gets in when the application has taken every
// other slot.
func TestRolesReservedConnections(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Version: 18, Settings: map[string]string{
		"max_connections": "8", "superuser_reserved_connections": "2", "reserved_connections": "2", "max_wal_senders": "0",
	}})
	createRoles(t, login(t, pg, pg.User, pg.Password))
	migrateUp(t, pg)
	var err error
	for range 8 {
		if _, err = dial(t, pg, "reims_app", password); err != nil {
			break
		}
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "53300" {
		t.Fatalf("the application fills the server: %v, want SQLSTATE 53300", err)
	}
	testProbe(t, pg)
}
