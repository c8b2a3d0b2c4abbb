package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

// setting is one that a role or a database may have of its own.
type setting struct {
	Name, Kind, Value   string
	Values              []string // of an enumeration
	Least, Most         string
	Context, Unit, Text string
}

// Settings that are left out of the batches, and why.
var notSet = map[string]string{
	"local_preload_libraries": "names files of the server",
	"max_stack_depth":         "its least value is too small for the server itself",
	"default_tablespace":      "the owner's choice; there is none but the default here",
	"search_path":             "the owner's choice, see TestHiddenTables",
	"transaction_isolation":   "of the transaction that is running, not of a session",
	"transaction_read_only":   "of the transaction that is running, not of a session",
	"transaction_deferrable":  "of the transaction that is running, not of a session",
	"post_auth_delay":         "delays every login",
	"log_min_messages":        "fills the disk",
	"debug_print_parse":       "fills the disk",
	"debug_print_rewritten":   "fills the disk",
	"debug_print_plan":        "fills the disk",
	"log_parser_stats":        "fills the disk",
	"log_planner_stats":       "fills the disk",
	"log_executor_stats":      "fills the disk",
}

// others are the values to try of a setting.
func (s setting) others() []string {
	switch s.Kind {
	case "bool":
		if s.Value == "on" {
			return []string{"off"}
		}
		return []string{"on"}
	case "enum":
		return slices.DeleteFunc(slices.Clone(s.Values), func(v string) bool { return v == s.Value })
	case "integer", "real":
		return []string{s.Least, s.Most}
	default:
		return map[string][]string{
			"DateStyle":                        {"German", "SQL, DMY", "Postgres, YMD"},
			"TimeZone":                         {"Asia/Kathmandu", "America/St_Johns"},
			"timezone_abbreviations":           {"India"},
			"client_encoding":                  {"LATIN1", "SQL_ASCII", "EUC_JP"},
			"default_text_search_config":       {"pg_catalog.german"},
			"lc_monetary":                      {"C"},
			"lc_numeric":                       {"C"},
			"lc_time":                          {"C"},
			"createrole_self_grant":            {"set, inherit"},
			"restrict_nonsystem_relation_kind": {"view, foreign-table"},
			"application_name":                 {"o'brien\\"},
		}[s.Name]
	}
}

// allSettings are those that any user may change, and what a superuser may give others.
func allSettings(t *testing.T, conn *pgx.Conn) []setting {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT name, vartype, setting, coalesce(enumvals, '{}'), coalesce(min_val, ''), coalesce(max_val, ''),
		context, coalesce(unit, ''), short_desc FROM pg_settings WHERE context = 'user' OR name = 'session_replication_role' ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[setting])
	if err != nil || len(all) < 100 {
		t.Fatalf("%d settings: %v", len(all), err)
	}
	return slices.DeleteFunc(all, func(s setting) bool { return notSet[s.Name] != "" })
}

// Whatever defaults a role or a database has, the migrations do the same, and what they
// say of the database is the same.
func TestSettings(t *testing.T) {
	t.Parallel()
	// What comes from the database and what from the role differs in nothing but the
	// place: each server has the one, and what broke before has both.
	for of, version := range map[string]int{"database": 0, "role": 18} {
		t.Run(of, func(t *testing.T) {
			t.Parallel()
			s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{Version: version})}
			conn := connect(t, s.config(t, "reims"))
			batches := make(map[string][][2]string) // by kind and number of the value
			for _, setting := range allSettings(t, conn) {
				for i, value := range setting.others() {
					batch := fmt.Sprintf("%s %d", setting.Kind, i)
					batches[batch] = append(batches[batch], [2]string{setting.Name, value})
				}
			}
			number := 0
			for batch, settings := range batches {
				number++
				s.underSettings(t, conn, fmt.Sprintf("batch_%d", number), of, batch, settings)
			}
			for _, other := range []string{"database", "role"} {
				s.underSettings(t, conn, "broken_"+other, other, "what broke", [][2]string{
					{"DateStyle", "German"},
					{"quote_all_identifiers", "on"},
					{"default_transaction_isolation", "serializable"},
					{"default_transaction_read_only", "on"},
					{"client_encoding", "LATIN1"},
					{"standard_conforming_strings", "off"},
				})
			}
		})
	}
}

// underSettings runs everything in a database of its own.
func (s *verifyServer) underSettings(t *testing.T, conn *pgx.Conn, database, of, batch string, settings [][2]string) {
	t.Helper()
	s.create(t, database, "template1")
	owner := "DATABASE " + database
	if of == "role" {
		owner = "ROLE postgres IN DATABASE " + database
	}
	taken := 0
	for _, o := range settings {
		// A value that the server does not take is none that we could meet.
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("ALTER %s SET %s = '%s'", owner, o[0], strings.ReplaceAll(o[1], "'", "''"))); err == nil {
			taken++
		}
		if strings.Contains(o[0], "Style") { // a list, and no text
			_, _ = conn.Exec(t.Context(), fmt.Sprintf("ALTER %s SET %s = %s", owner, o[0], o[1]))
		}
	}
	if taken*2 < len(settings) {
		t.Errorf("%s: of %d settings the server took %d", batch, len(settings), taken)
	}
	url := strings.Replace(s.pg.URL(), "/reims?", "/"+database+"?", 1)
	everything(t, of+": "+batch, newPool(t, url+"&default_query_exec_mode=exec"))
}

// everything is up, status, the plans, verify, adoption and down.
func everything(t *testing.T, name string, pool *pgxpool.Pool) {
	t.Helper()
	m := newMigrator(t, pool, migrate.Options{LockTimeout: time.Minute})
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"plan", func() error { _, _, err := m.PlanUp(t.Context()); return err }},
		{"up", func() error { _, err := m.Up(t.Context()); return err }},
		{"status", func() error {
			status, err := m.Status(t.Context())
			if err == nil && (status.Current != latest || status.Problem != "" || time.Since(*status.Steps[0].AppliedAt).Abs() > 5*time.Minute) {
				err = fmt.Errorf("%+v, applied at %s", status, status.Steps[0].AppliedAt)
			}
			return err
		}},
		{"verify", func() error { return clean(t, pool) }},
		{"lose the versions", func() error {
			_, err := pool.Exec(t.Context(), "BEGIN READ WRITE; DROP TABLE goose_db_version; DROP INDEX idx_properties_status; COMMIT")
			return err
		}},
		{"adopt", func() error { _, err := m.Up(t.Context()); return err }},
		{"verify again", func() error { return clean(t, pool) }},
		{"plan down", func() error { _, _, err := m.PlanDown(t.Context(), 0); return err }},
		{"down", func() error { _, err := m.Down(t.Context(), 0); return err }},
	} {
		if err := step.run(); err != nil {
			t.Errorf("%s: %s: %v", name, step.name, err)
			return
		}
	}
}

func clean(t *testing.T, pool *pgxpool.Pool) error {
	t.Helper()
	report, err := migrate.Verify(t.Context(), pool)
	if err == nil {
		err = report.Err(true)
	}
	if err != nil {
		return fmt.Errorf("%w: %v", err, report)
	}
	return nil
}

// What a session may take is bounded by our own limits, not by those of the role.
func TestLimitsOfTheRole(t *testing.T) {
	t.Parallel()
	s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{Version: 18})}
	conn := connect(t, s.config(t, "reims"))
	for _, name := range []string{"statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout", "lock_timeout"} {
		database := "limit_" + name
		s.create(t, database, "template1")
		run(t, conn, fmt.Sprintf("ALTER DATABASE %s SET %s = '1500ms'", database, name))
		pool := newPool(t, strings.Replace(s.pg.URL(), "/reims?", "/"+database+"?", 1))
		slow := "SELECT pg_sleep(2);"
		if _, err := newMigrator(t, pool, migrate.Options{FS: followedBy(t, slow)}).Up(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The settings are pinned for one transaction where a pooler may give the next one
// another session, and none is left behind.
func TestSettingsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"default_pool_size": "1"}})
	if err := pg.SQL(t.Context(), "ALTER DATABASE reims SET datestyle = 'German'; ALTER DATABASE reims SET quote_all_identifiers = on; "+
		"ALTER DATABASE reims SET statement_timeout = '20s'"); err != nil {
		t.Fatal(err)
	}
	newScratchAt(t, pg.URL()).up(t, migrate.Options{})
	pooled := newPool(t, bouncer.URL()+"&default_query_exec_mode=exec")
	m := newMigrator(t, pooled, migrate.Options{})
	if status, err := m.Status(t.Context()); err != nil || status.Current != latest || status.Problem != "" {
		t.Errorf("status: %+v, %v", status, err)
	}
	if err := clean(t, pooled); err != nil {
		t.Errorf("verify: %v", err)
	}
	if plan, _, err := m.PlanDown(t.Context(), 0); err != nil || len(plan) != latest {
		t.Errorf("plan: %v, %v", plan, err)
	}
	var left string
	if err := pooled.QueryRow(t.Context(), "SELECT concat_ws(' ', current_setting('quote_all_identifiers'), current_setting('statement_timeout'))").Scan(&left); err != nil || left != "on 20s" {
		t.Errorf("the pooler's session has %s, %v", left, err)
	}
}

// The settings are pinned by a role that may not read the list of them.
func TestSettingsCannotBeListed(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	database := s.value(t, "SELECT current_database()")
	role := "lister_" + database
	s.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'lister'", "GRANT CREATE ON SCHEMA public TO "+role,
		"REVOKE SELECT ON pg_settings FROM PUBLIC", "REVOKE EXECUTE ON FUNCTION pg_show_all_settings() FROM PUBLIC",
		"ALTER ROLE "+role+" IN DATABASE "+database+" SET datestyle = German", "ALTER DATABASE "+database+" SET quote_all_identifiers = on")
	config, err := pgx.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	owner := newScratchAt(t, strings.Replace(s.url, config.User+":"+config.Password, role+":lister", 1))
	owner.up(t, migrate.Options{})
	if status, err := newMigrator(t, owner.pool, migrate.Options{}).Status(t.Context()); err != nil || status.Current != latest {
		t.Errorf("status: %+v, %v", status, err)
	}
	report, err := migrate.Verify(t.Context(), owner.pool)
	if err == nil {
		err = report.Err(true)
	}
	if err != nil {
		t.Errorf("verify: %v", err)
	}
}
