package migrate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/reims/reims-health/pkg/migrate"
)

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
