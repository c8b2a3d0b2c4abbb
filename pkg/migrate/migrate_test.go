package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// latest is what the real migrations lead to.
const latest = 3

func TestUp(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	var events []string
	report := func(e migrate.Event) {
		events = append(events, fmt.Sprintf("%s %s %v", e.Kind, e.Step.File, e.Took > 0))
	}
	for i, want := range []migrate.Result{{From: 0, To: latest}, {From: latest, To: latest}} {
		if diff := cmp.Diff(want, s.up(t, migrate.Options{Report: report})); diff != "" {
			t.Errorf("run %d: -want +got:\n%s", i, diff)
		}
	}
	want := []string{
		"start 00001_properties.sql false", "applied 00001_properties.sql true",
		"start 00002_properties_checks.sql false", "applied 00002_properties_checks.sql true",
		"start 00003_properties_checks_validated.sql false", "applied 00003_properties_checks_validated.sql true",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
	if got := s.versions(t); got != "0 1 2 3" {
		t.Errorf("versions %s", got)
	}
	if report, err := migrate.Verify(t.Context(), s.pool); err != nil || report.Err(true) != nil {
		t.Errorf("verify: %v, %v", err, report)
	}
	// Related tables are not invented.
	if got := s.objects(t); got != "goose_db_version properties" {
		t.Errorf("tables: %s", got)
	}
	if n := s.value(t, `SELECT count(*) FROM pg_attribute WHERE attrelid = 'properties'::regclass AND attnum > 0
		AND col_description(attrelid, attnum) IS NULL`); n != "0" {
		t.Errorf("%s columns have no comment", n)
	}
	if got := s.value(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); got != "0" {
		t.Errorf("%s advisory locks are left", got)
	}
}

// Each in a process of its own, as the Pods of a Job are.
func TestTwentyAtOnce(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	runners := make([]*exec.Cmd, 20)
	outputs := make([]bytes.Buffer, len(runners))
	for i := range runners {
		runners[i] = newRunner(t, s.url, "real")
		runners[i].Stdout = &outputs[i]
		runners[i].Stderr = &outputs[i]
		if err := runners[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	working := 0
	for i, r := range runners {
		if err := r.Wait(); err != nil {
			t.Errorf("runner %d: %v\n%s", i, err, &outputs[i])
		}
		working += strings.Count(outputs[i].String(), "applied 00001_properties.sql")
	}
	if got := s.versions(t); got != "0 1 2 3" || working != 1 {
		t.Errorf("versions %s, runners that did something: %d", got, working)
	}
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.up(t, migrate.Options{FS: followedBy(t, "CREATE TABLE later ();")})
	m := newMigrator(t, s.pool, migrate.Options{})
	result, err := m.Up(t.Context())
	if want := (migrate.Result{From: 4, To: 4, Newer: true}); err != nil || result != want {
		t.Errorf("up: %+v, %v", result, err)
	}
	if plan, result, err := m.PlanUp(t.Context()); err != nil || len(plan) > 0 || !result.Newer {
		t.Errorf("plan: %v, %+v, %v", plan, result, err)
	}
	if _, err := m.Down(t.Context(), 0); err == nil {
		t.Error("undid what it does not know")
	}
	if got := s.versions(t); got != "0 1 2 3 4" {
		t.Errorf("versions %s", got)
	}
}

// A step that says NO TRANSACTION and was broken off is run again as a whole.
func TestNoTransaction(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.exec(t, "CREATE TABLE things (id int)", "INSERT INTO things VALUES (1), (1)")
	files := steps(`-- +goose NO TRANSACTION
DROP INDEX CONCURRENTLY IF EXISTS things_id;
CREATE UNIQUE INDEX CONCURRENTLY things_id ON things (id);`)
	_, err := newMigrator(t, s.pool, migrate.Options{FS: files}).Up(t.Context())
	var step *migrate.StepError
	if !errors.As(err, &step) || step.Code != "23505" || step.Line != 4 {
		t.Fatalf("got %v", err)
	}
	if got := s.value(t, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_id'::regclass"); got != "false" {
		t.Errorf("index valid: %s", got)
	}
	s.exec(t, "TRUNCATE things")
	s.up(t, migrate.Options{FS: files})
	if got := s.value(t, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_id'::regclass"); got != "true" {
		t.Errorf("index valid: %s", got)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	if m := newMigrator(t, nil, migrate.Options{}); m.Latest() != latest || migrations.Required > m.Latest() {
		t.Errorf("latest %d, required %d", m.Latest(), migrations.Required)
	}
	full := followedBy(t, "SELECT 1;")
	for name, files := range map[string]map[string]string{
		"gap":       {"00001_a.sql": "", "00003_b.sql": ""},
		"from zero": {"00000_a.sql": ""},
		"twice":     {"00001_a.sql": "", "00001_b.sql": ""},
		"no number": {"a.sql": ""},
		"no name":   {"00001.sql": ""},
		"none":      {},
	} {
		if _, err := migrate.New(nil, migrate.Options{FS: asFS(files)}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := migrate.New(nil, migrate.Options{FS: full, LockWait: -1}); err == nil {
		t.Error("a negative duration: accepted")
	}
}

func TestDown(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.up(t, migrate.Options{})
	// What was validated cannot be taken back but by making it anew.
	const checks = "SELECT string_agg(conname || convalidated, ' ' ORDER BY conname) FROM pg_constraint WHERE conname LIKE 'chk_l%'"
	var events []string
	m := newMigrator(t, s.pool, migrate.Options{Report: func(e migrate.Event) { events = append(events, string(e.Kind)+" "+e.Step.Name) }})
	for _, tt := range []struct {
		to      int64
		result  migrate.Result
		checks  string
		objects string
	}{
		{5, migrate.Result{From: 3, To: 3}, "chk_latitude_rangetrue chk_longitude_rangetrue", "goose_db_version properties"},
		{2, migrate.Result{From: 3, To: 2}, "chk_latitude_rangefalse chk_longitude_rangefalse", "goose_db_version properties"},
		{0, migrate.Result{From: 2, To: 0}, "null", "goose_db_version"},
		{0, migrate.Result{}, "null", "goose_db_version"},
	} {
		result, err := m.Down(t.Context(), tt.to)
		if err != nil || result != tt.result {
			t.Errorf("to %d: %+v, %v", tt.to, result, err)
		}
		if got := s.value(t, checks); got != tt.checks {
			t.Errorf("to %d: checks %s", tt.to, got)
		}
		if got := s.objects(t); got != tt.objects {
			t.Errorf("to %d: %s", tt.to, got)
		}
	}
	want := []string{
		"start properties_checks_validated", "undone properties_checks_validated",
		"start properties_checks", "undone properties_checks", "start properties", "undone properties",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
	if _, err := m.Down(t.Context(), -1); err == nil {
		t.Error("went below 0")
	}
	s.up(t, migrate.Options{})
	s.wantShape(t)
}

func TestDownFails(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	files := steps("CREATE TABLE one ();\n-- down\nDROP TABLE one;", "CREATE TABLE two ();\n-- down\nDROP TABLE two;\nDROP TABLE zero;")
	s.up(t, migrate.Options{FS: files})
	result, err := newMigrator(t, s.pool, migrate.Options{FS: files}).Down(t.Context(), 0)
	var step *migrate.StepError
	if !errors.As(err, &step) || step.File != "00002_step.sql" || step.Line != 6 || step.Statement != "DROP TABLE zero;" || result.To != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	if got := s.objects(t); got != "goose_db_version one two" {
		t.Errorf("left %s", got)
	}
}

// Nothing that reads makes the version table.
func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*scratch{"empty": newScratch(t), "predecessor's": newPredecessor(t, "predecessor")} {
		before := s.objects(t)
		m := newMigrator(t, s.pool, migrate.Options{})
		status, err := m.Status(t.Context())
		want := &migrate.Status{Latest: 3, Required: 1, Pending: 3, Adoptable: before != "null", Steps: []migrate.StepStatus{
			{Version: 1, Name: "properties", State: migrate.StatePending},
			{Version: 2, Name: "properties_checks", State: migrate.StatePending},
			{Version: 3, Name: "properties_checks_validated", State: migrate.StatePending},
		}}
		if diff := cmp.Diff(want, status); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
		plan, result, err := m.PlanUp(t.Context())
		if err != nil || len(plan) != 3 || plan[0].Adopt != status.Adoptable || result != (migrate.Result{To: 3}) {
			t.Errorf("%s: plan %v, %+v, %v", name, plan, result, err)
		}
		if down, result, err := m.PlanDown(t.Context(), 0); err != nil || len(down) != 0 || result != (migrate.Result{}) {
			t.Errorf("%s: plan to undo %v, %+v, %v", name, down, result, err)
		}
		if after := s.objects(t); after != before {
			t.Errorf("%s: now there are %s", name, after)
		}
		// The plan is what happens: run by hand, it leads to the same.
		for _, p := range plan {
			s.exec(t, "SET TimeZone = 'UTC'; "+p.SQL)
		}
		s.exec(t, "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)", "INSERT INTO goose_db_version VALUES (3, true)")
		s.wantShape(t)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.exec(t, "ALTER DATABASE "+s.value(t, "SELECT current_database()")+" SET timezone = 'Asia/Tokyo'")
	s.up(t, migrate.Options{FS: followedBy(t, "SELECT 1;")})
	if _, err := newMigrator(t, s.pool, migrate.Options{FS: followedBy(t, "SELECT 1;")}).Down(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	status, err := newMigrator(t, newPool(t, s.url), migrate.Options{}).Status(t.Context())
	want := &migrate.Status{Current: 4, Latest: 3, Required: 1, Steps: []migrate.StepStatus{
		{Version: 1, Name: "properties", State: migrate.StateApplied},
		{Version: 2, Name: "properties_checks", State: migrate.StateApplied},
		{Version: 3, Name: "properties_checks_validated", State: migrate.StateApplied},
		{Version: 4, State: migrate.StateUnknown},
	}}
	if diff := cmp.Diff(want, status, cmpopts.IgnoreFields(migrate.StepStatus{}, "AppliedAt")); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if age := time.Since(*status.Steps[0].AppliedAt).Abs(); age > time.Minute {
		t.Errorf("applied %s ago", age)
	}
}

// The variables that turn the test's program into a runner.
const (
	runnerURL = "REIMS_TEST_RUNNER_URL"
	runnerSet = "REIMS_TEST_RUNNER_SET"
)

// slow is a set whose second step is in the middle of its work for a minute, when
// pause is there.
var slow = steps("CREATE TABLE one ();", `CREATE TABLE two ();
INSERT INTO started DEFAULT VALUES;
-- +goose StatementBegin
DO $$ BEGIN IF to_regclass('pause') IS NOT NULL THEN PERFORM pg_sleep(60); END IF; END $$;
-- +goose StatementEnd
CREATE TABLE three ();`)

// newRunner returns this program, as a runner of the real steps or of the slow ones.
func newRunner(t *testing.T, url, set string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), runnerURL+"="+url, runnerSet+"="+set)
	return cmd
}

func runner(url, set string) int {
	o := migrate.Options{LockWait: time.Minute, Report: func(e migrate.Event) { fmt.Println(e.Kind, e.Step.File) }}
	if set == "slow" {
		o.FS = slow
	}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err == nil {
		var m *migrate.Migrator
		if m, err = migrate.New(pool, o); err == nil {
			_, err = m.Up(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sleeping tells whether a runner is in the middle of its second step.
func (s *scratch) sleeping(t *testing.T) bool {
	t.Helper()
	return s.value(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") == "1"
}

// wantUndone expects that nothing of the second step is there, then that the next run
// does it.
func (s *scratch) wantUndone(t *testing.T) {
	t.Helper()
	if got := s.versions(t) + ": " + s.objects(t); got != "0 1: goose_db_version one pause started" {
		t.Errorf("after the break: %s", got)
	}
	s.exec(t, "DROP TABLE pause")
	s.up(t, migrate.Options{FS: slow, LockWait: 20 * time.Second})
	if got := s.versions(t) + ": " + s.objects(t); got != "0 1 2: goose_db_version one started three two" {
		t.Errorf("after the next run: %s", got)
	}
}

func TestRunnerKilled(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.exec(t, "CREATE TABLE started ()", "CREATE TABLE pause ()")
	cmd := newRunner(t, s.url, "slow")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "runner in the middle", func() bool { return s.sleeping(t) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	poll.Until(t, "the server has noticed", func() bool { return !s.sleeping(t) })
	s.wantUndone(t)
}

func TestServerKilled(t *testing.T) {
	t.Parallel()
	// What was committed is there after a crash, as on a server that is not for tests.
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"synchronous_commit": "on"}})
	s := newScratchAt(t, pg.URL())
	s.exec(t, "CREATE TABLE started ()", "CREATE TABLE pause ()")
	failed := make(chan error, 1)
	m := newMigrator(t, newPool(t, s.url), migrate.Options{FS: slow})
	go func() { // ends with the server
		_, err := m.Up(context.WithoutCancel(t.Context()))
		failed <- err
	}()
	poll.Until(t, "runner in the middle", func() bool { return s.sleeping(t) })
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	err := <-failed
	var step *migrate.StepError
	if !errors.As(err, &step) || !strings.Contains(err.Error(), "run this again") {
		t.Errorf("got %v", err)
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.pool.Reset()
	s.wantUndone(t)
}

// A connection that is lost is not replaced by one that does not hold the lock.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	_, err := newMigrator(t, s.pool, migrate.Options{
		FS: steps("CREATE TABLE one ();", "CREATE TABLE two ();"),
		Report: func(e migrate.Event) {
			if e.Kind == migrate.Applied && e.Step.Version == 1 {
				s.exec(t, `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
					WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
				<-time.After(1100 * time.Millisecond) // from then on the driver looks before it uses a connection
			}
		},
	}).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the connection to the database was lost, and the lock with it") {
		t.Errorf("got %v", err)
	}
	if got := s.versions(t) + ": " + s.objects(t); got != "0 1: goose_db_version one" {
		t.Errorf("left %s", got)
	}
}
