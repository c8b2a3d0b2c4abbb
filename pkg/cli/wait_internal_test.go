package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/test/program"

	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// patience is for whatever a busy machine may take.
const patience = 5 * time.Minute

// waiting is a run of the wait command.
type waiting struct {
	out  program.Output
	code chan int
}

// startWait runs the command with these variables, and the arguments.
func startWait(ctx context.Context, t *testing.T, vars []servers.Var, args ...string) *waiting {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wait.env")
	if err := servers.WriteEnv(path, vars); err != nil {
		t.Fatal(err)
	}
	w := &waiting{code: make(chan int, 1)}
	go func() {
		w.code <- Run(ctx, registry.Kinds(), append([]string{"wait", "--env-file", path}, args...), &w.out, &w.out, Build{})
	}()
	return w
}

// says polls until the command has printed the text.
func (w *waiting) says(t *testing.T, text string) {
	t.Helper()
	poll.Seen(t, patience, fmt.Sprintf("%q is printed", text), func() (string, bool) {
		ended, printed := len(w.code) > 0, w.out.String() // in this order: all is printed by the end
		done := strings.Contains(printed, text)
		if ended && !done {
			t.Fatalf("exit code %d, without %q in:\n%s", <-w.code, text, printed)
		}
		return printed, done
	})
}

func (w *waiting) exits(t *testing.T, want int) {
	t.Helper()
	select {
	case code := <-w.code:
		if code != want {
			t.Errorf("exit code %d, want %d:\n%s", code, want, w.out.String())
		}
	case <-time.After(patience):
		t.Fatalf("still waiting:\n%s", w.out.String())
	}
}

// replace returns the variables with others in their place.
func replace(vars []servers.Var, others ...servers.Var) []servers.Var {
	all := others
	for _, v := range vars {
		kept := true
		for _, o := range others {
			kept = kept && v.Name != strings.TrimSuffix(o.Name, "_FILE")
		}
		if kept {
			all = append(all, v)
		}
	}
	return all
}

// Everything that keeps an init container waiting, one after the other.
func TestWaitThroughEverything(t *testing.T) {
	t.Parallel()
	pg, err := servers.NewPostgres(servers.PostgresOptions{Options: servers.Options{Dir: servers.TempDir(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Close() })
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWait(t.Context(), t, replace(pg.Env(),
		servers.Var{Name: "DATABASE_NAME", Value: "later"}, servers.Var{Name: "DATABASE_PASSWORD_FILE", Value: password}))

	w.says(t, "database: refused: ")
	w.says(t, "schema: waiting for the database (")
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.says(t, "database: auth: ")
	if err := os.WriteFile(password, []byte(pg.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	w.says(t, "database: database_missing: ")
	if err := pg.SQL(t.Context(), "CREATE DATABASE later"); err != nil {
		t.Fatal(err)
	}
	w.says(t, "database: ready (")
	w.says(t, "schema: the database has no table goose_db_version")
	pg.Database = "later"
	const table = "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean); INSERT INTO goose_db_version VALUES (0, true)"
	if err := pg.SQL(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	w.says(t, "schema: the schema is at version 0 and this release needs 1")
	if err := pg.SQL(t.Context(), "CREATE TABLE properties (); INSERT INTO goose_db_version VALUES (1, true)"); err != nil {
		t.Fatal(err)
	}
	w.exits(t, exitGood)
	w.says(t, "schema: ready (")
	seen := make(map[string]bool)
	for line := range strings.Lines(w.out.String()) {
		text, _, _ := strings.Cut(line, " (")
		if seen[text] {
			t.Errorf("%q was printed twice:\n%s", text, w.out.String())
		}
		seen[text] = true
	}
	if strings.Contains(w.out.String(), pg.Password) {
		t.Errorf("the password was printed:\n%s", w.out.String())
	}
}

func TestWaitForTheSchema(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	const setUp = `CREATE TABLE goose_db_version (version_id bigint, is_applied boolean);
		INSERT INTO goose_db_version VALUES (0, true), (1, true), (99, true); CREATE TABLE properties ();
		CREATE ROLE reader LOGIN PASSWORD 'reader-password'`
	if err := pg.SQL(t.Context(), setUp); err != nil {
		t.Fatal(err)
	}
	if err := pg.SQL(t.Context(), "CREATE DATABASE foreign_versions"); err != nil {
		t.Fatal(err)
	}
	foreign := replace(pg.Env(), servers.Var{Name: "DATABASE_NAME", Value: "foreign_versions"})
	pg.Database = "foreign_versions"
	if err := pg.SQL(t.Context(), "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean); INSERT INTO goose_db_version VALUES (0, true), (20240312100000, true)"); err != nil {
		t.Fatal(err)
	}
	pg.Database = "reims"
	nobody := replace(pg.Env(), servers.Var{Name: "DATABASE_PORT", Value: "1"})
	reader := replace(pg.Env(), servers.Var{Name: "DATABASE_USER", Value: "reader"}, servers.Var{Name: "DATABASE_PASSWORD", Value: "reader-password"})
	off := append([]servers.Var{{Name: "DATABASE_SCHEMA_CHECK", Value: "off"}}, reader...)
	for _, c := range []struct {
		name string
		vars []servers.Var
		args []string
		says string
		code int
	}{
		{"a newer schema will do", pg.Env(), nil, "schema: ready", exitGood},
		{"another program's versions", foreign, []string{"--for=schema", "--timeout=3s"}, "schema: the table goose_db_version records version 20240312100000, and DATABASE_USER can see no table of this program", exitFailed},
		{"no server, and the schema alone", nobody, []string{"--for=schema", "--timeout=3s"}, "schema: waiting for the database: refused: ", exitFailed},
		{"the database alone", reader, []string{"--for=database"}, "database: ready", exitGood},
		{"a missing grant is named", reader, []string{"--for=schema", "--timeout=1s"}, "GRANT SELECT ON goose_db_version", exitFailed},
		{"the schema check is off", off, nil, "database: ready", exitGood},
		{"the check is off, and asked for", off, []string{"--for=database,schema", "--timeout=1s"}, "gave up after 1s", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := startWait(t.Context(), t, c.vars, c.args...)
			w.exits(t, c.code)
			if !strings.Contains(w.out.String(), c.says) {
				t.Errorf("want %q in:\n%s", c.says, w.out.String())
			}
		})
	}
}

func TestWaitForOtherServices(t *testing.T) {
	t.Parallel()
	redis := servers.RunRedis(t, servers.RedisOptions{})
	w := startWait(t.Context(), t, redis.Env(), "--for=redis")
	w.exits(t, exitGood)
}

// A server that hangs must not hang us.
func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Thaw() })
	w := startWait(t.Context(), t, pg.Env(), "--for=database", "--timeout=100ms")
	w.exits(t, exitFailed)
	w.says(t, "wait for database: gave up after 100ms\n  database: no answer yet")

	ctx, cancel := context.WithCancel(t.Context())
	w = startWait(ctx, t, replace(pg.Env(), servers.Var{Name: "DATABASE_PROBE_TIMEOUT", Value: "200ms"}), "--for=database")
	w.says(t, "database: timeout: ")
	cancel()
	w.exits(t, exitFailed)
	w.says(t, "interrupted")
}

func TestWaitUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--for=databse"}, {"--for="}, {"--timeout=-1s"}, {"--timeout=soon"}, {"database"}} {
		w := startWait(t.Context(), t, nil, args...)
		w.exits(t, exitUsage)
	}
}

// What is waited for is said again from time to time.
func TestWaitReminds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := &waiter{
			targets: waitTargets(registry.Kinds()).named([]string{"database", "schema"}), out: &out, began: time.Now(), repeat: 30 * time.Second,
			said: map[string]string{"schema": "waiting for the database"}, printed: map[string]time.Time{"schema": time.Now()},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 70*time.Second)
		defer cancel()
		if err := w.watch(ctx, nil); err == nil {
			t.Error("returned without an error")
		}
		const want = "database: still waiting: no answer yet (30s)\nschema: still waiting: waiting for the database (30s)\n" +
			"database: still waiting: no answer yet (1m0s)\nschema: still waiting: waiting for the database (1m0s)\n"
		if out.String() != want {
			t.Errorf("got:\n%s", out.String())
		}
	})
}
