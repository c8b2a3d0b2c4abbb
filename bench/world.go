package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// world is what is checked: the four servers, and the way to each, which counts and can be
// made silent. It also has the program under test.
type world struct {
	dir      string
	program  string // its path
	postgres *servers.Postgres
	redis    *servers.Redis
	all      []servers.Server // the two, MinIO and Ollama
	close    []func() error
}

// newWorld builds the program and starts the servers, in a folder of their own. The database
// has the schema that the program wants. Close must be called, after an error too.
func newWorld(ctx context.Context, progress func(string)) (w *world, err error) {
	w = new(world)
	if w.dir, err = os.MkdirTemp("", "reims-health-bench-"); err != nil {
		return w, err
	}
	w.close = append(w.close, func() error { return os.RemoveAll(w.dir) })
	if err := os.Chmod(w.dir, 0o711); err != nil { // as root, PostgreSQL runs under an account of its own
		return w, err
	}
	progress("building the program")
	if w.program, err = program.Build(ctx, w.dir); err != nil {
		return w, err
	}
	in := func(name string) servers.Options {
		return servers.Options{Dir: filepath.Join(w.dir, name), Progress: progress}
	}
	w.postgres, err = servers.NewPostgres(servers.PostgresOptions{Options: in("postgres"), Settings: map[string]string{
		"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "top",
	}})
	if err != nil {
		return w, err
	}
	if w.redis, err = servers.NewRedis(servers.RedisOptions{Options: in("redis")}); err != nil {
		return w, err
	}
	minio, err := servers.NewMinIO(servers.MinIOOptions{Options: in("minio")})
	if err != nil {
		return w, err
	}
	ollama, err := servers.NewOllama(servers.OllamaOptions{Options: in("ollama")})
	if err != nil {
		return w, err
	}
	w.all = []servers.Server{w.postgres, w.redis, minio, ollama}
	for _, server := range w.all {
		progress("starting " + server.Name())
		w.close = append(w.close, server.Close)
		if err := server.Start(ctx); err != nil {
			return w, err
		}
	}
	return w, w.migrate(ctx)
}

// migrate makes the schema, and the view that counts statements.
func (w *world) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, w.program, "migrate", "up")
	for _, v := range w.postgres.Env() {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w:\n%s", err, out)
	}
	return w.postgres.SQL(ctx, "CREATE EXTENSION pg_stat_statements")
}

// Close ends and removes everything.
func (w *world) Close() error {
	var errs []error
	for _, end := range slices.Backward(w.close) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// env returns the variables of the program that lead to the servers themselves.
func (w *world) env() []servers.Var {
	var vars []servers.Var
	for _, server := range w.all {
		vars = append(vars, server.Env()...)
	}
	return vars
}

// ways are relays to the four servers.
type ways struct {
	relays [4]*relay.Relay
}

// newWays returns relays to the servers, which the world closes.
func (w *world) newWays() (*ways, error) {
	to := new(ways)
	for i, server := range w.all {
		address, ok := server.(interface{ Addr() string })
		if !ok {
			return nil, fmt.Errorf("%s has no address", server.Name())
		}
		way, err := relay.Start(address.Addr())
		if err != nil {
			return nil, err
		}
		w.close = append(w.close, func() error { way.Close(); return nil })
		to.relays[i] = way
	}
	return to, nil
}

// env returns the variables that lead over the relays; the others are those of the world.
func (w *ways) env() []servers.Var {
	var vars []servers.Var
	for i, service := range []string{"database", "redis", "minio", "ollama"} {
		vars = append(vars, servers.At(service, w.relays[i].Addr())...)
	}
	return vars
}

// silence lets every server hang, as seen over the relays: connections are accepted, and
// nothing is answered.
func (w *ways) silence() (addresses []string) {
	for _, way := range w.relays {
		way.Silence()
		addresses = append(addresses, way.Addr())
	}
	return addresses
}

// sidecar starts the program, with default settings, beside the world's servers.
func (w *world) sidecar(ctx context.Context, name string, vars ...servers.Var) (*servers.Sidecar, error) {
	s, err := servers.NewSidecar(servers.SidecarOptions{
		Options: servers.Options{Dir: filepath.Join(w.dir, name)}, Program: w.program, Vars: append(w.env(), vars...),
	})
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, s.Close)
	return s, s.Start(ctx)
}

// child starts this program again, as one of the servers that are measured.
func (w *world) child(ctx context.Context, input []byte, name string, addresses ...string) (*program.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"serve", name}, addresses...)...)
	cmd.Stdin = bytes.NewReader(input)
	p, err := program.Serve(cmd)
	if err != nil {
		return nil, err
	}
	w.close = append(w.close, func() error { p.Kill(); return nil })
	return p, nil
}

// exporters installs the Debian packages of the two exporters.
func exporters(ctx context.Context, progress func(string)) error {
	return install.Packages(ctx, install.Lines(progress), "prometheus-postgres-exporter", "prometheus-redis-exporter")
}
