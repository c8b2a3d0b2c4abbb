package migrate_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/migrate"
)

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
