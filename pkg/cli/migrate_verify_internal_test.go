package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/test/servers"
)

// execute runs one command line with these variables.
func execute(t *testing.T, vars []servers.Var, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.env")
	if err := servers.WriteEnv(path, vars); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = Run(t.Context(), append(args, "--env-file", path), &out, &errs, Build{})
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
		{"extra", "ALTER TABLE properties ADD COLUMN note text", pg.Env(), "migrate verify", exitGood, "note: column properties.note is not of this schema"},
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
