package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// durable makes commits wait for the disk.
var durable = map[string]string{"fsync": "on", "synchronous_commit": "on"}

// A disk that does not come back from an fsync hangs every commit, and nothing else.
func TestPostgresWritesStalledByTheDisk(t *testing.T) {
	t.Parallel()
	for _, version := range []int{0, 18} {
		t.Run(versionName(version), func(t *testing.T) {
			t.Parallel()
			disk := newDisk(t)
			pg := servers.RunPostgres(t, servers.PostgresOptions{Version: version, Settings: durable, Env: disk.env})
			limited := pgNew(pgPool(t, pgRole(t, pg, "reader", "")), postgres.Options{})
			pgBehindPooler(t, pg, func(t *testing.T, p *postgres.Checker) {
				t.Helper()
				pgHealthy(t, p)
				writer := pgWrites(t, pg)

				disk.block(t)
				writer.asks(insert)
				wantStalled(t, p, "write-ahead log")
				pgHealthy(t, limited)

				disk.unblock(t)
				pgRecovers(t, p)
			})
		})
	}
}

// A synchronous standby that is gone hangs every commit, and the log goes on with each.
func TestPostgresWritesStalledByAStandby(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: durable})
	standby := servers.RunStandby(t, pg)
	pgBehindPooler(t, pg, func(t *testing.T, p *postgres.Checker) {
		t.Helper()
		pgSynchronous(t, pg, "*")
		writer := pgWrites(t, pg)
		pgHealthy(t, p)

		if err := standby.Stop(); err != nil {
			t.Fatal(err)
		}
		writer.asks(insert)
		wantStalled(t, p, "synchronous standby")

		if err := standby.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		pgRecovers(t, p)
		pgSynchronous(t, pg, "")
	})
}

// What looks like it on a healthy server for a moment is no fault.
func TestPostgresWritesThatGetOn(t *testing.T) {
	t.Parallel()
	const span = 12 * time.Second // three times what makes a commit stalled
	for name, load := range map[string]func(ctx context.Context, t *testing.T, pg *servers.Postgres){
		"idle": func(context.Context, *testing.T, *servers.Postgres) {},
		"idle in a transaction that has written": func(_ context.Context, t *testing.T, pg *servers.Postgres) {
			t.Helper()
			writer := pgWrites(t, pg)
			writer.exec("BEGIN")
			writer.exec(insert)
		},
		"one long statement that writes": func(_ context.Context, t *testing.T, pg *servers.Postgres) {
			t.Helper()
			pgWrites(t, pg).asks("DO $$BEGIN FOR i IN 1..60 LOOP INSERT INTO rows VALUES (i); PERFORM pg_sleep(0.2); END LOOP; END$$")
		},
		"pgbench, checkpoints and base backups": func(ctx context.Context, t *testing.T, pg *servers.Postgres) {
			t.Helper()
			if err := pg.Client(ctx, "pgbench", "-i", "-q", "-s", "2", pg.Database); err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			t.Cleanup(group.Wait)
			again := func(what func() error) {
				group.Go(func() {
					for ctx.Err() == nil {
						if err := what(); err != nil && ctx.Err() == nil {
							t.Error(err)
							return
						}
					}
				})
			}
			again(func() error { return pg.Client(ctx, "pgbench", "-n", "-c", "4", "-T", "2", pg.Database) })
			again(func() error { return pg.SQL(ctx, "CHECKPOINT") })
			backup := filepath.Join(pg.Dir(), "copy")
			again(func() error {
				return errors.Join(
					pg.Client(ctx, "pg_basebackup", "-D", backup, "-Ft", "-X", "none", "-c", "fast", "--no-sync"), os.RemoveAll(backup))
			})
		},
		"a synchronous standby that confirms": func(ctx context.Context, t *testing.T, pg *servers.Postgres) {
			t.Helper()
			servers.RunStandby(t, pg)
			pgSynchronous(t, pg, "*")
			if err := pg.SQL(ctx, "ALTER SYSTEM SET track_activities = off"); err != nil { // sessions do not tell their transaction
				t.Fatal(err)
			}
			if err := pg.Client(ctx, "pgbench", "-i", "-q", pg.Database); err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			t.Cleanup(group.Wait)
			group.Go(func() { _ = pg.Client(ctx, "pgbench", "-n", "-c", "2", "-T", "60", pg.Database) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: durable})
			p := pgNew(pgPool(t, pg.URL()), postgres.Options{})
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			load(ctx, t, pg)
			for began := time.Now(); time.Since(began) < span; {
				pgHealthy(t, p)
				if err := poll.Pause(t.Context(), 100*time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Without the right to see what other roles' sessions wait for, only those of its own role are
// judged, which the log says once.
func TestPostgresWritesOfOtherRoles(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	for role, want := range map[string]int{"reader": 1, "monitor": 0} {
		var log bytes.Buffer
		options := postgres.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		address := pgRole(t, pg, role, "")
		if role == "monitor" {
			if err := pg.SQL(t.Context(), "GRANT pg_read_all_stats TO monitor"); err != nil {
				t.Fatal(err)
			}
		}
		p := pgNew(pgPool(t, address), options)
		for range 3 {
			pgHealthy(t, p)
			p.Redial()
		}
		if n := strings.Count(log.String(), "pg_read_all_stats"); n != want {
			t.Errorf("%s: the log says it %d times, want %d:\n%s", role, n, want, log.String())
		}
	}
}

func versionName(version int) string {
	if version == 0 {
		return "Debian's"
	}
	return "18"
}

// pgBehindPooler runs the test as a role that sees what all sessions wait for, on the server,
// and as the superuser through a PgBouncer.
func pgBehindPooler(t *testing.T, pg *servers.Postgres, test func(t *testing.T, p *postgres.Checker)) {
	t.Helper()
	pooler := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg})
	for name, address := range map[string]string{"direct": pgRole(t, pg, "monitor", "IN ROLE pg_read_all_stats"), "PgBouncer": pooler.URL()} {
		t.Run(name, func(t *testing.T) { test(t, pgNew(pgPool(t, address), postgres.Options{})) })
	}
}

// pgWrites returns a session that can insert into rows.
func pgWrites(t *testing.T, pg *servers.Postgres) *pgSession {
	t.Helper()
	s := pgConnect(t, pg.URL())
	s.exec("CREATE TABLE IF NOT EXISTS rows (n int)")
	s.exec(insert)
	return s
}

const insert = "INSERT INTO rows VALUES (1)"

func pgSynchronous(t *testing.T, pg *servers.Postgres, names string) {
	t.Helper()
	conn := pgConnect(t, pg.URL())
	conn.exec("SET synchronous_commit = off")
	conn.exec("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'")
	conn.exec("SELECT pg_reload_conf()")
}

// wantStalled checks as often as the sidecar does, until writes are found to hang, and once
// more as it does after a first failure.
func wantStalled(t *testing.T, p *postgres.Checker, because string) {
	t.Helper()
	began := time.Now()
	poll.Until(t, "writes are found to hang", func() bool {
		_, err := pgCheck(t, p, pgPatience)
		return err != nil
	})
	if waited := time.Since(began); waited < 4*time.Second {
		t.Errorf("writes were said to hang after %v: a slow commit takes as long", waited)
	}
	p.Redial()
	_, err := pgCheck(t, p, pgPatience)
	message := pgFault(t, err, postgres.ReasonWritesStalled, p.Pool())
	if !strings.Contains(message, because) {
		t.Errorf("the message is %q, and does not say %q", message, because)
	}
}

func pgRecovers(t *testing.T, p *postgres.Checker) {
	t.Helper()
	poll.Until(t, "the check finds that writes get on", func() bool {
		_, err := pgCheck(t, p, pgPatience)
		return err == nil
	})
}

// disk is what a server writes to, whose fsync can be made to hang.
type disk struct {
	env     []string
	blocked string // the file that blocks it while it is there
}

// newDisk compiles the library that is loaded before the C library.
func newDisk(t *testing.T) *disk {
	t.Helper()
	dir := servers.TempDir(t)
	source, library := filepath.Join(dir, "fsync.c"), filepath.Join(dir, "fsync.so")
	if err := os.WriteFile(source, []byte(`
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int then(long call, int fd) {
	const char *blocked = getenv("FSYNC_BLOCKED");
	while (blocked != NULL && access(blocked, F_OK) == 0)
		usleep(10000);
	return (int)syscall(call, fd);
}

int fsync(int fd) { return then(SYS_fsync, fd); }
int fdatasync(int fd) { return then(SYS_fdatasync, fd); }
`), 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", library, source) // the race detector needs it too
	if out, err := compiler.CombinedOutput(); err != nil {
		t.Fatalf("compile the library that blocks fsync: %v: %s", err, out)
	}
	d := &disk{blocked: filepath.Join(dir, "blocked")}
	d.env = []string{"LD_PRELOAD=" + library, "FSYNC_BLOCKED=" + d.blocked}
	t.Cleanup(func() { _ = os.Remove(d.blocked) }) // before the server is stopped
	return d
}

func (d *disk) block(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(d.blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(d.blocked) })
}

func (d *disk) unblock(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.blocked); err != nil {
		t.Fatal(err)
	}
}
