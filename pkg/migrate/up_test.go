package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
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
