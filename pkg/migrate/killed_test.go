package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

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
	eventually(t, "runner in the middle", func() bool { return s.sleeping(t) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the server has noticed", func() bool { return !s.sleeping(t) })
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
	eventually(t, "runner in the middle", func() bool { return s.sleeping(t) })
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
