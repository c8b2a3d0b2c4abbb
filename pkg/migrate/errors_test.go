package migrate_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// A step that fails tells where, and leaves nothing of itself.
func TestStepFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		step string
		want migrate.StepError
		text string
	}{
		{
			"syntax", "CREATE TABLE made ();\n\nCREATE TABLE bad (\n  a int,\n  b nothing\n);",
			migrate.StepError{Line: 6, Code: "42704", Statement: "CREATE TABLE bad (\n  a int,\n  b nothing\n);"},
			"00002_step.sql:6: ERROR: type \"nothing\" does not exist (SQLSTATE 42704)\n" +
				"  statement:\n    CREATE TABLE bad (\n      a int,\n      b nothing\n    );",
		},
		{
			"at run time", "CREATE TABLE made ();\n-- why\nSELECT 1;\nSELECT 1/0;",
			migrate.StepError{Line: 5, Code: "22012", Statement: "SELECT 1/0;"},
			"00002_step.sql:5: ERROR: division by zero (SQLSTATE 22012)\n  statement:\n    SELECT 1/0;",
		},
		{
			"twice the same", "CREATE TABLE made ();\nSELECT 1;\nCREATE TABLE made ();",
			migrate.StepError{Line: 4, Code: "42P07", Statement: "CREATE TABLE made ();"},
			"00002_step.sql:4: ",
		},
		{
			"in a block", "CREATE TABLE made ();\n-- +goose StatementBegin\nDO $$\nBEGIN\n  RAISE EXCEPTION 'über' USING HINT = 'think';\nEND $$;\n-- +goose StatementEnd",
			migrate.StepError{Line: 4, Code: "P0001", Statement: "DO $$\nBEGIN\n  RAISE EXCEPTION 'über' USING HINT = 'think';\nEND $$;"},
			"  hint: think\n  where: PL/pgSQL function inline_code_block line 3 at RAISE",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			result, err := newMigrator(t, s.pool, migrate.Options{FS: steps("CREATE TABLE before ();", tt.step, "CREATE TABLE after ();")}).Up(t.Context())
			var got *migrate.StepError
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if got.File != "00002_step.sql" || got.Line != tt.want.Line || got.Code != tt.want.Code || got.Statement != tt.want.Statement {
				t.Errorf("got %s:%d, %s, %q", got.File, got.Line, got.Code, got.Statement)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got:\n%v\nwant:\n%s", err, tt.text)
			}
			if left := s.versions(t) + ": " + s.objects(t); left != "0 1: before goose_db_version" || result.To != 1 {
				t.Errorf("left %s, result %+v", left, result)
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	_, err := newMigrator(t, s.pool, migrate.Options{FS: asFS(map[string]string{"00001_a.sql": "-- +goose Up\nSELECT 1"})}).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "00001_a.sql") {
		t.Errorf("got %v", err)
	}
}

func TestLockHeld(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	holder, err := pgx.Connect(t.Context(), s.url+"&application_name=somebody")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock(4097083626)"); err != nil {
		t.Fatal(err)
	}
	waiting := ""
	o := migrate.Options{LockWait: 300 * time.Millisecond, Report: func(e migrate.Event) { waiting += string(e.Kind) + " " + e.Holder }}
	start := time.Now()
	_, err = newMigrator(t, s.pool, o).Up(t.Context())
	var locked *migrate.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, "application somebody") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("gave up after %s", took)
	}
	if !strings.HasPrefix(waiting, "waiting process ") || strings.Count(waiting, "waiting") != 1 {
		t.Errorf("reported %q", waiting)
	}
	if got := s.versions(t) + s.objects(t); got != "no tablenull" {
		t.Errorf("changed: %s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := newMigrator(t, s.pool, migrate.Options{LockWait: time.Minute}).Up(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: %v", err)
	}
	o.LockWait = 20 * time.Second
	time.AfterFunc(200*time.Millisecond, func() { _ = holder.Close(context.Background()) })
	s.up(t, o)
}

// A long transaction in the way costs the others no more than the lock's timeout.
func TestTableLocked(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.up(t, migrate.Options{FS: firstOnly(t)})
	long, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = long.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := long.Exec(t.Context(), "SELECT count(*) FROM properties"); err != nil {
		t.Fatal(err)
	}
	const timeout = 500 * time.Millisecond
	failed := make(chan error, 1)
	m := newMigrator(t, newPool(t, s.url), migrate.Options{LockTimeout: timeout})
	go func() { // ends with the lock's timeout
		_, err := m.Up(context.WithoutCancel(t.Context()))
		failed <- err
	}()
	poll.Until(t, "the migration waits for the table", func() bool {
		return s.value(t, "SELECT count(*) FROM pg_locks WHERE relation = 'properties'::regclass AND NOT granted") == "1"
	})
	start := time.Now()
	s.exec(t, "SELECT count(*) FROM properties")
	if took := time.Since(start); took > timeout+10*time.Second {
		t.Errorf("another client was held up for %s", took)
	}
	var step *migrate.StepError
	if err := <-failed; !errors.As(err, &step) || step.Code != "55P03" || step.File != "00002_properties_checks.sql" ||
		!strings.Contains(err.Error(), "idle in transaction") || !strings.Contains(err.Error(), "MIGRATE_LOCK_TIMEOUT") {
		t.Errorf("got %v", err)
	}
	if got := s.versions(t); got != "0 1" {
		t.Errorf("versions %s", got)
	}
}

// firstOnly is the first of the real steps.
func firstOnly(t *testing.T) fs.FS {
	t.Helper()
	text, err := fs.ReadFile(followedBy(t), "00001_properties.sql")
	if err != nil {
		t.Fatal(err)
	}
	return asFS(map[string]string{"00001_properties.sql": string(text)})
}

func TestRoleWithoutRights(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	role := "weak_" + s.value(t, "SELECT current_database()")
	s.exec(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'weak'")
	config, err := pgx.ParseConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	weak := strings.Replace(s.url, config.User+":"+config.Password, role+":weak", 1)
	start := time.Now()
	_, err = newMigrator(t, newPool(t, weak), migrate.Options{}).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "permission denied for schema public") || !strings.Contains(err.Error(), "docs/roles.md") {
		t.Errorf("empty database: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s: tried again for nothing", took)
	}
	if got := s.versions(t); got != "no table" {
		t.Errorf("versions %s", got)
	}
	s.up(t, migrate.Options{FS: firstOnly(t)})
	s.exec(t, "GRANT SELECT, INSERT ON goose_db_version TO "+role, "GRANT USAGE ON SEQUENCE goose_db_version_id_seq TO "+role, "GRANT SELECT ON properties TO "+role)
	_, err = newMigrator(t, newPool(t, weak), migrate.Options{}).Up(t.Context())
	var step *migrate.StepError
	if !errors.As(err, &step) || step.Code != "42501" || step.Line == 0 || step.Advice == "" {
		t.Errorf("first step there: %v", err)
	}
}

func TestBadRows(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.up(t, migrate.Options{FS: firstOnly(t)})
	s.exec(t, `INSERT INTO properties (name, address, city, state, total_units, occupied_units, latitude)
		VALUES ('a', 'a', 'c', 's', -1, -2, 91), ('b', 'a', 'c', 's', NULL, -2, 90), ('c', 'a', 'c', 's', NULL, NULL, NULL)`)
	_, err := newMigrator(t, s.pool, migrate.Options{}).Up(t.Context())
	const want = "properties: 1 row breaks chk_latitude_range (latitude from -90 to 90); " +
		"2 rows break chk_occupied_units_not_negative (occupied_units >= 0); " +
		"1 row breaks chk_total_units_not_negative (total_units >= 0)"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if got := s.versions(t); got != "0 1" {
		t.Errorf("versions %s", got)
	}
	if got := s.value(t, "SELECT count(*) FROM pg_constraint WHERE conname IN ('chk_latitude_range', 'chk_total_units_not_negative')"); got != "0" {
		t.Errorf("%s checks were added", got)
	}
	s.exec(t, "UPDATE properties SET total_units = NULL, occupied_units = NULL, latitude = NULL")
	s.up(t, migrate.Options{})
	for _, column := range []string{"total_units", "occupied_units", "latitude", "longitude"} {
		if _, err := s.pool.Exec(t.Context(), "UPDATE properties SET "+column+" = -500 "); err == nil {
			t.Errorf("%s -500 was accepted", column)
		}
	}
}

// A server that freezes while the lock is waited for is given up.
func TestServerFreezes(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := newScratchAt(t, pg.URL())
	holder, err := pgx.Connect(t.Context(), s.url)
	if err != nil {
		t.Fatal(err)
	}
	// In use until the end: a connection that is garbage is closed, and its lock gone.
	defer func() { _ = holder.Close(context.Background()) }()
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock(4097083626)"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = newMigrator(t, newPool(t, s.url), migrate.Options{
		LockWait: time.Minute, ConnectTimeout: time.Second,
		Report: func(migrate.Event) { _ = pg.Freeze() },
	}).Up(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 15*time.Second {
		t.Errorf("got %v after %s", err, time.Since(start))
	}
	if err := pg.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"default_pool_size": "1"}})
	direct := newScratchAt(t, pg.URL())
	pooled := newPool(t, bouncer.URL()+"&default_query_exec_mode=exec")
	_, err := newMigrator(t, pooled, migrate.Options{}).Up(t.Context())
	if !errors.Is(err, migrate.ErrPooler) || !strings.Contains(err.Error(), "DATABASE_MIGRATION_URL (or DATABASE_MIGRATION_URL_FILE)") {
		t.Errorf("got %v", err)
	}
	if _, err := newMigrator(t, pooled, migrate.Options{}).Down(t.Context(), 0); !errors.Is(err, migrate.ErrPooler) {
		t.Errorf("down: %v", err)
	}
	if got := direct.versions(t) + direct.objects(t); got != "no tablenull" {
		t.Errorf("changed: %s", got)
	}
	var timeout string
	if err := pooled.QueryRow(t.Context(), "SHOW lock_timeout").Scan(&timeout); err != nil || timeout != "0" {
		t.Errorf("lock_timeout %s leaked into the pooler's session, %v", timeout, err)
	}
	direct.up(t, migrate.Options{})
	status, err := newMigrator(t, pooled, migrate.Options{}).Status(t.Context())
	if err != nil || status.Current != latest { // reading needs no session
		t.Errorf("status: %+v, %v", status, err)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := newPool(t, pg.URL())
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err := newMigrator(t, pool, migrate.Options{ConnectTimeout: time.Second}).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gave up after 1s") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < 500*time.Millisecond || took > 10*time.Second {
		t.Errorf("gave up after %s", took)
	}
	// One that comes up in time is waited for.
	time.AfterFunc(700*time.Millisecond, func() { _ = pg.Start(context.Background()) })
	if _, err := newMigrator(t, pool, migrate.Options{ConnectTimeout: 20 * time.Second}).Up(t.Context()); err != nil {
		t.Errorf("server that came later: %v", err)
	}
	// A wrong password does not get better.
	start = time.Now()
	wrong := newPool(t, strings.Replace(pg.URL(), pg.Password, "wrong", 1))
	if _, err := newMigrator(t, wrong, migrate.Options{}).Up(t.Context()); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("wrong password: %v after %s", err, time.Since(start))
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	dead := newPool(t, "postgres://u:p@"+silent.Addr().String()+"/x?sslmode=disable")
	start = time.Now()
	if _, err := newMigrator(t, dead, migrate.Options{ConnectTimeout: time.Second}).Status(t.Context()); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("a server that says nothing: %v after %s", err, time.Since(start))
	}
}

// A connection that is lost, a lock, and another runner are no reason to give up.
func TestRetry(t *testing.T) {
	t.Parallel()
	const kill = "SELECT pg_terminate_backend(pg_backend_pid()) FROM once;"
	for name, tt := range map[string][2]string{
		"connection lost": {"", kill},
		"lock":            {"BEGIN; LOCK TABLE once", "LOCK TABLE once;"},
		"another runner":  {"SELECT pg_advisory_lock(4097083626)", "SELECT 1;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			s.exec(t, "CREATE TABLE once AS SELECT 1")
			holder, err := s.pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer holder.Release()
			if tt[0] != "" {
				if _, err := holder.Exec(t.Context(), tt[0]); err != nil {
					t.Fatal(err)
				}
			}
			said := ""
			o := migrate.Options{FS: steps(tt[1]), RetryFor: 0, LockTimeout: 100 * time.Millisecond}
			m := newMigrator(t, newPool(t, s.url), o)
			if _, err := m.Up(t.Context()); err == nil {
				t.Error("succeeded without another attempt")
			}
			o.RetryFor = time.Minute
			o.Report = func(e migrate.Event) {
				if e.Kind == migrate.Retrying { // the reason passes
					said = e.Err.Error()
					_, _ = holder.Exec(t.Context(), "ROLLBACK; SELECT pg_advisory_unlock_all()")
					_, _ = s.pool.Exec(t.Context(), "DELETE FROM once")
				}
			}
			if _, err := newMigrator(t, newPool(t, s.url), o).Up(t.Context()); err != nil || said == "" {
				t.Errorf("%v, after %q", err, said)
			}
		})
	}
	// What a step does wrong stays wrong.
	s := newScratch(t)
	attempts := 0
	o := migrate.Options{FS: steps("SELECT 1/0;"), RetryFor: time.Minute, Report: func(e migrate.Event) {
		if e.Kind == migrate.Start {
			attempts++
		}
	}}
	if _, err := newMigrator(t, s.pool, o).Up(t.Context()); err == nil || attempts != 1 {
		t.Errorf("%v, attempts: %d", err, attempts)
	}
}
