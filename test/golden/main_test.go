package golden_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// What all tests share: the program, and a server of each kind that no test disturbs.
var (
	binary   string
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
	if binary, err = program.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	defer func() {
		for _, s := range standing.all {
			err = errors.Join(err, s.Close())
		}
	}()
	return run(), nil
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
	dir := filepath.Dir(binary)
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
	migrate := exec.Command(binary, "migrate", "up")
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
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append([]string{"TZ=UTC"}, env...)
	code, stdout, stderr, err := program.Run(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return told(args, stdout, stderr, code)
}

func told(args []string, stdout, stderr string, code int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ reims-health %s\n%s", strings.Join(args, " "), stdout)
	for line := range strings.Lines(stderr) {
		b.WriteString("stderr: " + line)
	}
	if code != 0 {
		fmt.Fprintf(&b, "exit %d\n", code)
	}
	return b.String()
}

// patience is for whatever a busy machine may take.
const patience = time.Minute
