package golden_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// What all tests share: the program, and a server of each kind that no test disturbs.
var (
	program  string
	standing struct {
		once     sync.Once
		postgres *servers.Postgres
		all      []servers.Server
		err      error
	}
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // the tests wait more than they compute
	flag.Parse()
	code, err := prepare(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// prepare builds the program, runs the tests, and ends the servers.
func prepare(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "reims-health-golden-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "reims-health")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../cmd/reims-health")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the program: %w\n%s", err, out)
	}
	if err := readSources(); err != nil {
		return 0, err
	}
	defer func() {
		for _, s := range standing.all {
			err = errors.Join(err, s.Close())
		}
	}()
	return run(), nil
}

// readSources reads what the program is made of: the cache of go test notices only the
// files that the test itself has read.
func readSources() error {
	read := func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	}
	var errs []error
	for _, part := range []string{"cmd", "pkg", "migrations", "go.mod"} {
		errs = append(errs, filepath.WalkDir(filepath.Join("../..", part), read))
	}
	return errors.Join(errs...)
}

// runServers starts the servers once, with two buckets and a model in them, and the
// schema in the database. It returns the variables that lead to them.
func runServers(t *testing.T) []string {
	t.Helper()
	standing.once.Do(func() { standing.err = startServers() })
	if standing.err != nil {
		t.Fatal(standing.err)
	}
	return serverEnv()
}

func serverEnv() []string {
	var env []string
	for _, s := range standing.all {
		for _, v := range s.Env() {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env
}

func startServers() (err error) {
	ctx := context.Background() // they outlive the test that is the first
	// Not in the folder of the program: PostgreSQL runs as another user.
	dir := filepath.Dir(program)
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	if standing.all, err = servers.NewSet(servers.Options{Dir: dir}); err != nil {
		return err
	}
	errs := make([]error, len(standing.all))
	var starting sync.WaitGroup
	for i, s := range standing.all {
		starting.Go(func() {
			if errs[i] = s.Start(ctx); errs[i] == nil {
				errs[i] = fill(ctx, s)
			}
		})
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	migrate := exec.Command(program, "migrate", "up")
	migrate.Env = serverEnv()
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w\n%s", err, out)
	}
	return nil
}

func fill(ctx context.Context, s servers.Server) error {
	switch s := s.(type) {
	case *servers.Postgres:
		standing.postgres = s
	case *servers.MinIO:
		return errors.Join(s.MakeBucket(ctx, "golden-reports"), s.MakeBucket(ctx, "golden-uploads"))
	case *servers.Ollama:
		// Ollama lists the newest first, and those of the same second in any order.
		old := time.Now().Add(-time.Hour)
		manifest := filepath.Join(s.Dir(), "models", "manifests", "registry.ollama.ai", "library", servers.Model, "latest")
		return errors.Join(s.CreateModel(ctx, "golden"), os.Chtimes(manifest, old, old))
	}
	return nil
}

// newDatabase returns the name of an empty database on the shared server.
func newDatabase(t *testing.T, name string) string {
	t.Helper()
	runServers(t)
	if err := standing.postgres.SQL(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standing.postgres.SQL(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return name
}

// run runs a command that ends by itself, and returns all that it told: the command
// line, the output, and the exit code where that is not 0.
func run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{"TZ=UTC"}, env...), &stdout, &stderr
	err := cmd.Run()
	return told(t, args, stdout.String(), stderr.String(), err)
}

func told(t *testing.T, args []string, stdout, stderr string, err error) string {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "$ reims-health %s\n%s", strings.Join(args, " "), stdout)
	for line := range strings.Lines(stderr) {
		b.WriteString("stderr: " + line)
	}
	if exit != nil {
		fmt.Fprintf(&b, "exit %d\n", exit.ExitCode())
	}
	return b.String()
}

// patience is for whatever a busy machine may take.
const patience = time.Minute
