package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

// One database, from empty to newer and back, by the command line.
func TestMigrate(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg})
	env := pg.Env()
	production := slices.Concat(env, []servers.Var{{Name: "ENVIRONMENT", Value: "production"}, {Name: "DATABASE_SSLMODE", Value: "disable"}})
	pooled := append(bouncer.Env(), servers.Var{Name: "DATABASE_MIGRATION_URL", Value: pg.URL()})
	asJSON := slices.Concat(env, []servers.Var{{Name: "LOG_FORMAT", Value: "json"}})
	dead := replace(env, servers.Var{Name: "DATABASE_PORT", Value: "1"})
	for _, step := range []struct {
		sql  string
		vars []servers.Var
		args string
		code int
		says string // a regular expression, for either output
	}{
		{"", env, "migrate", exitGood, "Migrate the database to the schema"},
		{"", env, "migrate up extra", exitUsage, "unknown command"},
		{"", env, "migrate up --lock-timeout=0s", exitUsage, "--lock-timeout 0s: want a duration above 0s"},
		{"", env, "migrate up --lock-wait=-1s", exitUsage, "--lock-wait"},
		{"", env, "migrate status -o xml", exitUsage, "want table or json"},
		{"", env, "migrate down --to=-2 --yes", exitUsage, "want 0 or above"},
		{"", append(env, servers.Var{Name: "DATABASE_MIGRATION_URL", Value: "x"}), "migrate up", exitUsage, "DATABASE_MIGRATION_URL: "},
		{"", dead, "migrate up --connect-timeout=600ms", exitFailed, "gave up after 600ms: .*refused"},
		{"", env, "migrate status", exitGood, `1        properties +pending  -\n[^$]*\nversion 0, pending 3; this program knows 3 and needs 1`},
		{"", env, "migrate up --dry-run", exitGood, `-- Dry run: from version 0 to version 3, steps: 3\n\n-- 00001_properties.sql\nCREATE TABLE properties`},
		{"", bouncer.Env(), "migrate up", exitFailed, `DATABASE_MIGRATION_URL \(or DATABASE_MIGRATION_URL_FILE\)`},
		{"", env, "migrate status", exitGood, "version 0, pending 3"},
		{"", pooled, "migrate up", exitGood, `00001_properties.sql ...\n00001_properties.sql applied in [\d.]+m?s\n[^$]*from version 0 to version 3 in \d+`},
		{"", env, "migrate up", exitGood, "nothing to do: the database is at version 3"},
		{"", asJSON, "migrate up", exitGood, `"msg":"migrated","from":3,"to":3`},
		{"", env, "migrate status", exitGood, `3        properties_checks_validated +applied  20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`},
		{"", env, "migrate down", exitUsage, "give --yes"},
		{"", production, "migrate down --yes", exitUsage, "refused, because ENVIRONMENT is production"},
		{"", env, "migrate down --dry-run --to=1", exitGood, `from version 3 to version 1, steps: 2\n\n-- 00003_[^$]*-- 00002_`},
		{"", env, "migrate down --yes", exitGood, "from version 3 to version 2"},
		{"", asJSON, "migrate up", exitGood, `"event":"applied","file":"00003_properties_checks_validated.sql"`},
		{"", production, "migrate down --yes --force --to=0", exitGood, "from version 3 to version 0"},
		{"CREATE TABLE properties (id int)", env, "migrate up", exitFailed, "column properties.id: type is integer, want uuid"},
		{"", env, "migrate status", exitGood, "migrate up will adopt it"},
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9, true)", env, "migrate up", exitFailed, "records version 9, and not 1, 2, 3.*another program's"},
		{"", env, "migrate up --dry-run", exitFailed, "another program's"},
		{"", env, "migrate down --yes", exitFailed, "another program's"},
		{"", env, "migrate status", exitGood, "another program's"},
		{"", asJSON, "migrate up", exitFailed, `^\{[^\n]*"level":"ERROR","msg":"migrate failed","error":"read the table public.goose_db_version: [^\n]*\n$`},
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, true), (2, true), (3, true)", env, "migrate up", exitGood, "version 9, newer than this program, which knows 3: left as it is"},
		{"", env, "migrate up --strict", exitFailed, "newer than this program"},
		{"", env, "migrate up --dry-run --strict", exitFailed, "newer than this program"},
		{"", asJSON, "migrate up", exitGood, `"level":"WARN","msg":"database is newer`},
		{"", env, "migrate down --yes", exitFailed, "use the release that brought version 9"},
	} {
		if step.sql != "" {
			if err := pg.SQL(t.Context(), step.sql); err != nil {
				t.Fatal(err)
			}
		}
		code, out, errs := execute(t, step.vars, strings.Fields(step.args)...)
		if code != step.code || !regexp.MustCompile(step.says).MatchString(out+errs) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", step.args, code, step.code, step.says, out, errs)
		}
		if strings.Contains(out+errs, pg.Password) {
			t.Errorf("%s: the password was printed", step.args)
		}
	}
}

func TestMigrateStatusJSON(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if code, out, errs := execute(t, pg.Env(), "migrate", "up"); code != exitGood {
		t.Fatal(out, errs)
	}
	code, out, errs := execute(t, pg.Env(), "migrate", "status", "--output", "json")
	var status migrate.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil || code != exitGood {
		t.Fatal(err, code, out, errs)
	}
	if status.Current != 3 || status.Pending != 0 || len(status.Steps) != 3 || status.Steps[2].AppliedAt == nil {
		t.Errorf("got %+v", status)
	}
}

// What has no limit of its own is still bounded.
func TestCommandTimeout(t *testing.T) {
	t.Parallel()
	if got := commandTimeout(0); got.Milliseconds() > 1<<31-1 {
		t.Errorf("%s is more than the server's setting takes", got)
	}
}

// A Secret that is not there is said at once, with its name, and what may pass is tried
// again; the last words are in the log's format.
func TestMigrateInAJob(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	job := append(pg.Env(), servers.Var{Name: "MIGRATE_RETRY_FOR", Value: "1m"}, servers.Var{Name: "MIGRATE_SECRET", Value: "reims-database"},
		servers.Var{Name: "LOG_FORMAT", Value: "json"})
	for name, missing := range map[string]servers.Var{
		"password":    {Name: "DATABASE_PASSWORD_FILE", Value: "/absent/password"},
		"url":         {Name: "DATABASE_MIGRATION_URL_FILE", Value: "/absent/url"},
		"certificate": {Name: "DATABASE_SSLROOTCERT", Value: "/absent/ca.crt"},
	} {
		start := time.Now()
		code, out, errs := execute(t, replace(job, missing), "migrate", "up")
		if code != exitFailed || !strings.Contains(out+errs, missing.Value) || !strings.Contains(out+errs, "the Secret reims-database") || time.Since(start) > 20*time.Second {
			t.Errorf("%s: exit code %d after %s: %s%s", name, code, time.Since(start), out, errs)
		}
		if !strings.HasPrefix(errs, "{") || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: not one record: %s", name, errs)
		}
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	later := time.AfterFunc(2*time.Second, func() { started <- pg.Start(context.WithoutCancel(t.Context())) })
	defer later.Stop()
	code, out, errs := execute(t, replace(job, servers.Var{Name: "MIGRATE_CONNECT_TIMEOUT", Value: "500ms"}), "migrate", "up")
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if code != exitGood || !strings.Contains(errs, `"msg":"trying again"`) || !strings.Contains(errs, "refused") {
		t.Errorf("a server that comes later: exit code %d: %s%s", code, out, errs)
	}
	start := time.Now()
	code, out, errs = execute(t, replace(job, servers.Var{Name: "DATABASE_NAME", Value: "elsewhere"}, servers.Var{Name: "MIGRATE_RETRY_FOR", Value: "2s"}), "migrate", "up")
	if code != exitFailed || !strings.Contains(errs, "trying again") || time.Since(start) < time.Second {
		t.Errorf("a database that does not come: exit code %d: %s%s", code, out, errs)
	}
}

// execute runs one command line with these variables.
func execute(t *testing.T, vars []servers.Var, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.env")
	if err := servers.WriteEnv(path, vars); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = Run(t.Context(), registry.Kinds(), append(args, "--env-file", path), &out, &errs, Build{})
	return code, out.String(), errs.String()
}

func TestMigrateVerify(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	elsewhere := servers.Var{Name: "DATABASE_NAME", Value: "elsewhere"}
	nobody := servers.Var{Name: "DATABASE_PORT", Value: "1"}
	for _, step := range []struct {
		name, sql string
		vars      []servers.Var
		args      string
		code      int
		says      string // on either output
	}{
		{"bad usage", "", pg.Env(), "migrate verify --output yaml", exitUsage, "want text or json"},
		{"nothing there", "", pg.Env(), "migrate verify", exitFailed, "run reims-health migrate up"},
		{"no such database", "", replace(pg.Env(), elsewhere), "migrate verify", exitFailed, "/elsewhere as postgres: "},
		{"no server", "", replace(pg.Env(), nobody), "migrate verify", exitFailed, "connection refused"},
		{"migrated", "", pg.Env(), "migrate up", exitGood, "to version 3"},
		{"clean", "", pg.Env(), "migrate verify --strict", exitGood, "verified"},
		{"extra", "ALTER TABLE properties ADD COLUMN note text", pg.Env(), "migrate verify", exitGood, "note: column properties.note is not part of this schema"},
		{"strict", "", pg.Env(), "migrate verify --strict", exitFailed, "DROP COLUMN IF EXISTS note;"},
		{"drift", "DROP INDEX idx_properties_status", pg.Env(), "migrate verify", exitFailed, "1 difference from"},
	} {
		if step.sql != "" {
			if err := pg.SQL(t.Context(), step.sql); err != nil {
				t.Fatal(err)
			}
		}
		code, out, errs := execute(t, step.vars, strings.Fields(step.args)...)
		if code != step.code || !strings.Contains(out+errs, step.says) {
			t.Errorf("%s: exit code %d, want %d and %q in:\n%s%s", step.name, code, step.code, step.says, out, errs)
		}
		if strings.Contains(out+errs, pg.Password) {
			t.Errorf("%s: the password was printed", step.name)
		}
	}

	conn, err := pgx.Connect(t.Context(), pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK properties"); err != nil {
		t.Fatal(err)
	}
	code, _, errs := execute(t, pg.Env(), "migrate", "verify", "--connect-timeout=1s")
	if code != exitFailed || !strings.Contains(errs, "locked exclusively") {
		t.Errorf("behind a lock: exit code %d and %s", code, errs)
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	_, out, _ := execute(t, pg.Env(), "migrate", "verify", "-o", "json")
	var report struct {
		Verified    bool
		Version     int
		Differences []struct {
			Object string
			Extra  bool
			SQL    []string
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if report.Verified || report.Version != 3 || len(report.Differences) != 2 || len(report.Differences[1].SQL) != 1 {
		t.Errorf("as JSON: %+v", report)
	}
}
