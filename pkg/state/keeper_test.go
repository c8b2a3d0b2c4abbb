package state_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/state"
	"github.com/reims/reims-health/test/program"
)

const pod = "11111111-2222-3333-4444-555555555555"

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func keeper(path string, log *program.Output, names ...string) *state.Keeper {
	k := &state.Keeper{
		Path: path, Pod: pod, Definitions: make(map[string]string),
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	for _, name := range names {
		k.Definitions[name] = "definition of " + name
	}
	return k
}

// view is one of services that were restored in this way, with no result yet.
func view(known map[string]health.Restored) *health.View {
	var results []health.Result
	for name, r := range known {
		svc := &health.Service{Name: name, Interval: time.Second, Timeout: time.Second, Restored: r}
		results = append(results, health.NewResult(svc, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	return health.NewView(epoch, results, health.NoOverride, false)
}

// keep has one process write the views.
func keep(t interface{ Fatal(...any) }, k *state.Keeper, views ...*health.View) map[string]health.Restored {
	known := k.Restore()
	updates := make(chan *health.View, len(views))
	for _, v := range views {
		updates <- v
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // it still writes the latest one
	if err := k.Start(ctx, updates); err != nil {
		t.Fatal(err)
	}
	return known
}

// What one process writes, the next one reads, and only that.
func TestWriteRestartRead(t *testing.T) {
	t.Parallel()
	names := []string{"database", "redis", "minio", "ollama", "search-2"}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "file"))
		_ = os.Remove(path)
		want := make(map[string]health.Restored)
		for _, name := range names {
			r := health.Restored{Proven: rapid.Bool().Draw(t, name+" proven")}
			if rapid.Bool().Draw(t, name+" failing") {
				r.FailingSince = epoch.Add(time.Duration(rapid.Int64Range(-1<<60, 1<<60).Draw(t, name+" since")))
			}
			want[name] = r
		}
		var log program.Output
		if known := keep(t, keeper(path, &log, names...), view(nil), view(want)); len(known) > 0 {
			t.Fatalf("a new Pod inherits %v", known)
		}
		next := keeper(path, &log, names...)
		changed := rapid.SampledFrom(names).Draw(t, "changed")
		next.Definitions[changed] = "another"
		removed := rapid.SampledFrom(names).Draw(t, "removed")
		delete(next.Definitions, removed)
		for name, r := range want {
			if name == changed || name == removed || r == (health.Restored{}) {
				delete(want, name)
			}
		}
		if diff := cmp.Diff(want, next.Restore()); diff != "" {
			t.Fatalf("restored (-want +got):\n%s", diff)
		}
		if n := log.Count("level=WARN"); n > 0 {
			t.Fatalf("%d warnings:\n%s", n, &log)
		}
		other := keeper(path, &log, names...)
		other.Pod = "66666666-2222-3333-4444-555555555555"
		if known := other.Restore(); len(known) > 0 {
			t.Fatalf("another Pod inherits %v", known)
		}
	})
}

// A service that is taken out and put back must be proven again.
func TestRemovedServiceIsForgotten(t *testing.T) {
	t.Parallel()
	path, log := filepath.Join(t.TempDir(), "state"), new(program.Output)
	both := map[string]health.Restored{"database": {Proven: true}, "redis": {Proven: true}}
	keep(t, keeper(path, log, "database", "redis"), view(both))
	known := keep(t, keeper(path, log, "database"), view(map[string]health.Restored{"database": {Proven: true}}))
	if len(known) != 1 {
		t.Errorf("restored %v", known)
	}
	if known := keeper(path, log, "database", "redis").Restore(); len(known) != 1 || !known["database"].Proven {
		t.Errorf("restored %v", known)
	}
}

// Whatever stands in the file's place is ignored, does not block, and is replaced.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	good := `{"format":1,"pod":"` + pod + `","services":{"database":{"definition":"definition of database","proven":true}}}`
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for name, c := range map[string]struct {
		place func(path string) error
		warns string // "" where the file is good
	}{
		"good":             {write(good), ""},
		"empty":            {write(""), "damaged"},
		"cut off":          {write(good[:len(good)-9]), "damaged"},
		"something behind": {write(good + "{}"), "damaged"},
		"no JSON":          {write("\x00\x01"), "damaged"},
		"another document": {write(`[1,2,3]`), "damaged"},
		"an unknown field": {write(strings.Replace(good, `"pod"`, `"more":1,"pod"`, 1)), "damaged"},
		"a wrong type":     {write(strings.Replace(good, "true", `"yes"`, 1)), "damaged"},
		"a wrong time":     {write(strings.Replace(good, "true", `true,"failing_since":"soon"`, 1)), "damaged"},
		"an older format":  {write(strings.Replace(good, "1", "0", 1)), "format 0"},
		"a newer format":   {write(`{"format":2,"who":{"knows":[]}}`), "format 2"},
		"no format":        {write(`{"pod":"` + pod + `"}`), "format 0"},
		"of another Pod":   {write(strings.Replace(good, pod, "another", 1)), "another Pod"},
		"100 MB": {func(path string) error {
			if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 100<<20)
		}, "larger"},
		"a FIFO":     {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "regular"},
		"a folder":   {func(path string) error { return os.Mkdir(path, 0o700) }, "regular"},
		"a symlink":  {func(path string) error { return os.Symlink("/dev/zero", path) }, "regular"},
		"a lost one": {func(path string) error { return os.Symlink("/nowhere", path) }, "regular"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, log := filepath.Join(t.TempDir(), "state"), new(program.Output)
			if err := c.place(path); err != nil {
				t.Fatal(err)
			}
			now := map[string]health.Restored{"database": {Proven: true, FailingSince: epoch}}
			known := keep(t, keeper(path, log, "database"), view(now))
			if (c.warns == "") != known["database"].Proven {
				t.Errorf("restored %v", known)
			}
			if n := log.Count("state file ignored"); n != min(len(c.warns), 1) || log.Count(c.warns) == 0 {
				t.Errorf("log:\n%s", log)
			}
			if name == "a folder" { // it stays, and is logged
				if log.Count("state file not written") != 1 {
					t.Errorf("log:\n%s", log)
				}
				return
			}
			if diff := cmp.Diff(now, keeper(path, log, "database").Restore()); diff != "" {
				t.Errorf("after it was replaced (-want +got):\n%s", diff)
			}
		})
	}
}

// A process that was killed while it wrote leaves the old content whole.
func TestPartialWriteIsNotRead(t *testing.T) {
	t.Parallel()
	path, log := filepath.Join(t.TempDir(), "state"), new(program.Output)
	want := map[string]health.Restored{"database": {Proven: true}}
	keep(t, keeper(path, log, "database"), view(want))
	if err := os.WriteFile(path+".new", []byte(`{"format":1,"po`), 0o400); err != nil {
		t.Fatal(err)
	}
	want2 := map[string]health.Restored{"database": {Proven: true, FailingSince: epoch}}
	if diff := cmp.Diff(want, keep(t, keeper(path, log, "database"), view(want2))); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want2, keeper(path, log, "database").Restore()); diff != "" {
		t.Errorf("restored next (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

// A folder that takes no file costs one line in the log, and another when it does
// again: the same state is tried again, though not with every view.
func TestUnwritableFolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		path, log := filepath.Join(dir, "state"), new(program.Output)
		k := keeper(path, log, "database")
		if known := k.Restore(); known != nil {
			t.Fatalf("restored %v", known)
		}
		updates := make(chan *health.View)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Start(ctx, updates) }()
		proven := view(map[string]health.Restored{"database": {Proven: true}})
		for range 30 {
			updates <- proven
			time.Sleep(time.Second)
		}
		if log.Count("state file not written") != 1 {
			t.Errorf("log:\n%s", log)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		updates <- proven
		synctest.Wait()
		if log.Count("state file written again") != 1 {
			t.Errorf("log:\n%s", log)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if known := keeper(path, log, "database").Restore(); !known["database"].Proven {
			t.Errorf("restored %v", known)
		}
	})
}

// Only what changes is written.
func TestUnchangedStateIsNotWritten(t *testing.T) {
	t.Parallel()
	path, log := filepath.Join(t.TempDir(), "state"), new(program.Output)
	same := view(map[string]health.Restored{"database": {Proven: true}})
	keep(t, keeper(path, log, "database"), same)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, keeper(path, log, "database"), same, same)
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced: %v", err)
	}
	if mode := before.Mode(); mode != 0o600 {
		t.Errorf("mode %s", mode)
	}
	content, err := os.ReadFile(path)
	if err != nil || !slices.Equal(strings.FieldsFunc(string(content), func(r rune) bool { return r == '"' }), []string{
		"{", "format", ":1,", "pod", ":", pod, ",", "services", ":{", "database", ":{", "definition", ":", "definition of database", ",", "proven", ":true}}}",
	}) {
		t.Errorf("%s, %v", content, err)
	}
}

// Whether a fault was held survives, so that the Pod comes back as it was.
func TestHoldSurvives(t *testing.T) {
	t.Parallel()
	down := health.Outcome{Started: epoch, Finished: epoch, Fault: &health.Fault{Reason: health.ReasonRefused}}
	for shared, held := range map[health.SharedFault]bool{health.SharedFaultHold: true, health.SharedFaultLeave: false} {
		svc := &health.Service{
			Name: "database", Interval: time.Second, Timeout: time.Second, FailureThreshold: 1, SuccessThreshold: 1,
			Readiness: health.PolicyStrict, SharedFault: shared,
		}
		r := health.NewResult(svc, epoch).Next(health.Outcome{Started: epoch, Finished: epoch}).Next(down)
		path := filepath.Join(t.TempDir(), "state")
		var log program.Output
		keep(t, keeper(path, &log, "database"), health.NewView(epoch, []health.Result{r}, health.NoOverride, false))
		want := map[string]health.Restored{"database": {Proven: true, FailingSince: epoch, Held: held}}
		if diff := cmp.Diff(want, keeper(path, &log, "database").Restore()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", shared, diff)
		}
	}
}
