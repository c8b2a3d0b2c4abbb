package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/test/servers"
)

var all = []string{"minio", "ollama", "postgres", "redis"}

// newRunner returns a runner that is taken down with the test.
func newRunner(t *testing.T) (runner, *bytes.Buffer) {
	t.Helper()
	out := new(bytes.Buffer)
	r := runner{dir: servers.TempDir(t), out: out}
	t.Cleanup(func() {
		if err := r.down(); err != nil {
			t.Error(err)
		}
	})
	return r, out
}

func up(t *testing.T, r runner) []entry {
	t.Helper()
	if err := r.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := openState(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if diff := cmp.Diff(all, s.running()); diff != "" {
		t.Fatalf("running (-want +got):\n%s", diff)
	}
	return s.sorted()
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	r, out := newRunner(t)
	first := up(t, r)
	for _, e := range first {
		if !strings.Contains(out.String(), e.Endpoint) {
			t.Errorf("up does not say %s", e.Endpoint)
		}
	}
	testEnvFile(t, r)
	testNoSecrets(t, r, out.String())

	again := up(t, r)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("a second up changed the servers (-first +second):\n%s", diff)
	}
	if !strings.Contains(out.String(), "running already") {
		t.Error("a second up does not say that they run")
	}

	if err := r.down(); err != nil {
		t.Fatal(err)
	}
	for _, e := range first {
		if e.Running() {
			t.Errorf("%s runs after down", e.Name)
		}
	}
	if _, err := os.Stat(r.envFile()); !os.IsNotExist(err) {
		t.Errorf("the variables are there after down (%v)", err)
	}
}

// One that has died makes up start all of them again.
func TestUpAfterALoss(t *testing.T) {
	t.Parallel()
	r, _ := newRunner(t)
	first := up(t, r)
	if err := first[len(first)-1].Kill(); err != nil {
		t.Fatal(err)
	}
	for _, e := range up(t, r) {
		for _, old := range first {
			if e.PID == old.PID {
				t.Errorf("%s is the one of before", e.Name)
			}
		}
	}
	for _, old := range first {
		if old.Running() {
			t.Errorf("the former %s still runs", old.Name)
		}
	}
}

func TestUpExcludesAnother(t *testing.T) {
	t.Parallel()
	r, _ := newRunner(t)
	s, err := openState(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.up(t.Context()); err == nil {
		t.Error("up ran beside another")
	}
	s.close()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"sideways"}, {"up", "down"}} {
		if err := run(t.Context(), args, new(bytes.Buffer)); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v, want the usage", args, err)
		}
	}
}

func testEnvFile(t *testing.T, r runner) {
	t.Helper()
	shell := exec.Command("sh", "-euc", `. "$1"; echo "$DATABASE_HOST $DATABASE_PORT $DATABASE_NAME $DATABASE_USER $DATABASE_PASSWORD`+
		` $REDIS_HOST $REDIS_PORT $REDIS_PASSWORD $MINIO_ENDPOINT $MINIO_ACCESS_KEY $MINIO_SECRET_KEY $MINIO_SECURE $OLLAMA_HOST $OLLAMA_PORT"`,
		"sh", r.envFile())
	out, err := shell.CombinedOutput()
	if got := len(strings.Fields(string(out))); err != nil || got != 14 {
		t.Errorf("source %s: %d values of 14 (%v)", r.envFile(), got, err)
	}
}

func testNoSecrets(t *testing.T, r runner, shown string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "*", "password"))
	if err != nil || len(files) < 3 {
		t.Fatalf("passwords of %d servers, want 3 at least (%v)", len(files), err)
	}
	for _, file := range files {
		secret, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(shown, strings.TrimSpace(string(secret))) {
			t.Errorf("up shows what is in %s", file)
		}
	}
}
