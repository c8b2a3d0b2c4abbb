package postgres_test

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/checking"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// pgText holds values of settings that are texts. The schema other has functions and
// operators of the catalogue's names.
var pgText = map[string][]string{
	"search_path":     {"other, public, pg_catalog", "public"},
	"client_encoding": {"SJIS", "LATIN1", "UTF8"},
	"DateStyle":       {"German", "SQL, DMY"},
	"TimeZone":        {"Asia/Kathmandu"},
	"lc_monetary":     {"C"},
	"lc_numeric":      {"C"},
}

const pgOther = `CREATE SCHEMA other;
	GRANT USAGE ON SCHEMA other TO PUBLIC;
	CREATE FUNCTION other.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true';
	CREATE FUNCTION other.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT ''other''';
	CREATE FUNCTION other.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT NULL::regclass';
	CREATE FUNCTION other.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
	CREATE OPERATOR other.= (FUNCTION = other.never, LEFTARG = text, RIGHTARG = text);
	CREATE OPERATOR other.<> (FUNCTION = other.never, LEFTARG = text, RIGHTARG = text);
	CREATE TABLE other.pg_stat_database (numbackends int);
	ALTER TABLE goose_db_version ENABLE ROW LEVEL SECURITY;
	CREATE POLICY everything ON goose_db_version USING (true)`

// pgValues returns values of every setting that a role or a database may have.
func pgValues(t *testing.T, conn *pgx.Conn) map[string][]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT name, vartype, coalesce(min_val, ''), coalesce(max_val, ''), coalesce(enumvals, '{}')
		FROM pg_settings WHERE context IN ('user', 'superuser')`)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	var name, kind, least, most string
	var enum []string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind, &least, &most, &enum}, func() error {
		switch kind {
		case "bool":
			values[name] = []string{"on", "off"}
		case "enum":
			values[name] = slices.Clone(enum)
		case "integer", "real":
			values[name] = []string{least, most}
			if least == "0" {
				values[name] = append(values[name], "1")
			}
		default:
			values[name] = pgText[name]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(values, "default_transaction_read_only") // is what the check looks for
	// A session that ends a millisecond after its login answers nothing.
	values["idle_session_timeout"] = []string{"100"}
	return values
}

// pgComparable leaves out what differs from check to check.
func pgComparable(o health.Observation) map[string]any {
	comparable := map[string]any{}
	for _, m := range o.Values {
		comparable[m.Name] = fmt.Sprint(m.Text, m.Number)
		if m.Name == "connections_used" || strings.HasPrefix(m.Name, "pool_") {
			comparable[m.Name] = "there"
		}
	}
	return comparable
}

// Whatever is set for the role, the check says the same.
func TestPostgresSettingsOfTheRole(t *testing.T) {
	t.Parallel()
	pg, reader := pgManaged(t, servers.PostgresOptions{})
	admin := pgConnect(t, pg.URL())
	admin.exec(pgOther)
	u, err := url.Parse(reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	db := pgOpen(t, pg.Addr(), func(c *database.Config) { c.User, c.Password = "reader", checking.Password(secret) })
	p := pgNew(db.Pool(), pgAll)
	want := pgComparable(pgHealthy(t, p))
	values, tried := pgValues(t, admin.conn), 0
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			quoted := "'" + value + "'"
			if name == "search_path" {
				quoted = value
			}
			if _, err := admin.conn.Exec(t.Context(), fmt.Sprintf("ALTER ROLE reader SET %s = %s", name, quoted)); err != nil {
				continue // not a value, after all, or not for this build
			}
			tried++
			p.Redial()
			o, err := pgCheck(t, p, pgPatience)
			if err != nil {
				t.Errorf("%s = %s: %v", name, value, errors.Join(err, errors.Unwrap(err)))
			} else if diff := cmp.Diff(want, pgComparable(o)); diff != "" {
				t.Errorf("%s = %s (-want +got):\n%s", name, value, diff)
			}
		}
		admin.exec("ALTER ROLE reader RESET " + name)
	}
	if tried < 400 {
		t.Errorf("%d values tried, want more", tried)
	}
}

// Nor does it matter on a standby, and behind a pooler, which takes none of them when a
// connection is opened, and keeps none that a check sets.
func TestPostgresSettingsOfTheDatabase(t *testing.T) {
	t.Parallel()
	pg, _ := pgManaged(t, servers.PostgresOptions{})
	admin := pgConnect(t, pg.URL())
	admin.exec(pgOther)
	for _, setting := range []string{
		"default_transaction_isolation = serializable", "default_transaction_deferrable = on", "row_security = off",
		"exit_on_error = on", "statement_timeout = 100", "lock_timeout = 1", "search_path = other, public, pg_catalog",
		"datestyle = German", "quote_all_identifiers = on", "xmlbinary = hex", "xmloption = document", "bytea_output = escape",
		"standard_conforming_strings = off", "jit_above_cost = 0",
	} {
		admin.exec("ALTER DATABASE reims SET " + setting)
	}
	standby := servers.RunStandby(t, pg)
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"default_pool_size": "1"}})
	behind := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: standby, Settings: map[string]string{"default_pool_size": "1"}})
	for name, c := range map[string]struct {
		address string
		standby bool
	}{
		"primary":                 {pg.Addr(), false},
		"primary behind a pooler": {bouncer.Addr(), false},
		"standby":                 {standby.Addr(), true},
		"standby behind a pooler": {behind.Addr(), true},
	} {
		t.Run(name, func(t *testing.T) {
			db := pgOpen(t, c.address, func(c *database.Config) { c.Password = checking.Password(pg.Password) })
			allowed := pgAll
			allowed.AllowReplica = true
			o := pgHealthy(t, pgNew(db.Pool(), allowed))
			pgWantNumber(t, o, "schema_current", 2)
			if _, ok := o.Find("connections_used"); !ok {
				t.Error("no connections_used")
			}
			p := pgNew(db.Pool(), pgAll)
			if !c.standby {
				pgHealthy(t, p)
			} else {
				_, err := pgCheck(t, p, pgPatience)
				if message := pgFault(t, err, health.ReasonReadOnly, db.Pool()); !strings.Contains(message, "standby") {
					t.Errorf("message = %q", message)
				}
			}
			for setting, want := range map[string]string{
				"exit_on_error": "on", "row_security": "off", "lock_timeout": "1ms", "transaction_isolation": "serializable",
			} {
				if c.standby && setting == "transaction_isolation" {
					continue // SHOW asks for a transaction that a standby refuses
				}
				var got string
				if err := db.Pool().QueryRow(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != want {
					t.Errorf("%s = %s, %v after a check, want %s as before", setting, got, err, want)
				}
			}
		})
	}
}
