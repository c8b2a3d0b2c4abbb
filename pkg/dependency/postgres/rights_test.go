package postgres_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/postgres"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// A right that is missing costs the figure that needs it, which the log says once.
// Rights on the catalogue's objects are a database's own.
func TestPostgresMissingRights(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	reader := pgRole(t, pg, "reader", "")
	const app, used, schema = "app_connections_idle", "connections_used", "schema_current"
	for i, c := range []struct {
		revoke string
		lost   []string
		says   string // in the log
	}{
		{"SELECT ON pg_stat_activity", []string{app}, "pg_stat_activity"},
		{"SELECT ON pg_stat_database", []string{used}, "pg_stat_database"},
		{"SELECT ON pg_stat_activity, pg_stat_database", []string{app, used}, "pg_stat_database"},
		{"EXECUTE ON FUNCTION pg_stat_get_activity(int)", []string{app}, "app_connections"},
		{"EXECUTE ON FUNCTION pg_stat_get_db_numbackends(oid)", []string{used}, used},
		{"EXECUTE ON FUNCTION pg_is_in_recovery()", nil, "pg_is_in_recovery"},
		{"EXECUTE ON FUNCTION current_setting(text)", []string{app}, "app_connections"},
		{"EXECUTE ON FUNCTION inet_client_addr()", []string{app}, "app_connections"},
		{"EXECUTE ON FUNCTION pg_has_role(name, text)", []string{app}, "app_connections"},
		{"EXECUTE ON FUNCTION pg_current_wal_flush_lsn()", nil, "whether writes hang"},
		{"EXECUTE ON FUNCTION pg_postmaster_start_time()", nil, "whether writes hang"},
		{"EXECUTE ON FUNCTION to_regclass(text)", []string{schema}, ""},
		{"EXECUTE ON FUNCTION has_table_privilege(oid, text)", []string{schema}, ""},
		{"EXECUTE ON FUNCTION query_to_xml(text, boolean, boolean, text)", []string{schema}, ""},
		{"EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_catalog", []string{app, used, schema}, "connections_used"},
		{"SELECT ON ALL TABLES IN SCHEMA pg_catalog", []string{app, used}, "connections_used"},
		{"USAGE ON SCHEMA pg_catalog", []string{app, used, schema}, "connections_used"},
		{"USAGE ON SCHEMA public", []string{schema}, ""},
		{"TEMPORARY ON DATABASE {}", nil, ""},
	} {
		t.Run(c.revoke, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("db%d", i)
			if err := pg.SQL(t.Context(), "CREATE DATABASE "+name); err != nil {
				t.Fatal(err)
			}
			in := func(u *url.URL) { u.Path = name }
			super := pgConnect(t, pgAddress(t, pg, in))
			super.exec(gooseTable + "; INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, true), (2, true); GRANT SELECT ON goose_db_version TO reader")
			super.exec("REVOKE " + strings.ReplaceAll(c.revoke, "{}", name) + " FROM PUBLIC")
			u, err := url.Parse(reader)
			if err != nil {
				t.Fatal(err)
			}
			in(u)
			// The API logs in as the same role, so that the unprivileged count is believed.
			pgWarm(t, pgPool(t, u.String(), asAPI), 1)

			var log bytes.Buffer
			o := pgAll
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			p, pool, w := pgWatch(t, pg, u.String(), o)
			lost := map[string]bool{}
			for _, figure := range c.lost {
				lost[figure] = true
			}
			judge := func(o health.Observation, err error) {
				t.Helper()
				if lost[schema] {
					pgFault(t, err, postgres.ReasonSchemaBehind, pool)
				} else if err != nil {
					t.Errorf("Check() = %v, want none", err)
				}
				for _, figure := range []string{app, used, schema, "connections_max"} {
					if _, ok := o.Find(figure); ok == lost[figure] {
						t.Errorf("%s is there: %t, want %t", figure, ok, !lost[figure])
					}
				}
			}
			judge(pgCheck(t, p, pgPatience))
			for range 3 {
				judge(pgOneTrip(t, p, w))
			}
			p.Redial()
			judge(pgCheck(t, p, pgPatience))
			if said := strings.Count(log.String(), c.says); c.says != "" && said == 0 || c.says == "" && log.Len() > 0 {
				t.Errorf("the log says %q %d times:\n%s", c.says, said, log.String())
			}
			for line := range strings.Lines(log.String()) {
				if _, what, _ := strings.Cut(line, "missing="); strings.Count(log.String(), what) != 1 {
					t.Errorf("said more than once: %s", line)
				}
			}
		})
	}
}

// Rights that come back are seen within the connections' lifetime.
func TestPostgresRightGranted(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	p := pgNew(pgPool(t, pgRole(t, pg, "reader", "")), postgres.Options{})
	for _, c := range []struct {
		sql  string
		want bool
	}{
		{"REVOKE SELECT ON pg_stat_database FROM PUBLIC", false},
		{"GRANT SELECT ON pg_stat_database TO PUBLIC", true},
	} {
		if err := pg.SQL(t.Context(), c.sql); err != nil {
			t.Fatal(err)
		}
		p.EndLifetime()
		if _, ok := pgHealthy(t, p).Find("connections_used"); ok != c.want {
			t.Errorf("after %s: connections_used is there: %t", c.sql, ok)
		}
	}
}
