package observe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/test/servers"
)

// Options say what to put up.
type Options struct {
	// Dir is a folder for all of it, which other users may enter: PostgreSQL is one.
	Dir string
	// Program is the path of the built reims-health.
	Program string
	// Factor divides all durations, see [Scale].
	Factor int
	// Notify, if any, is called with each alert that arrives.
	Notify func(Event)
	// Progress, if any, gets a line when something takes long.
	Progress func(line string)
}

// Stage is three sidecars on four servers, as Pods of one namespace on a node each,
// with a Prometheus that scrapes them and an Alertmanager that tells a receiver.
type Stage struct {
	Postgres     *servers.Postgres
	Redis        *servers.Redis
	MinIO        *servers.MinIO
	Ollama       *servers.Ollama
	Sidecars     []*servers.Sidecar
	Way          *servers.Switch // of the last sidecar to PostgreSQL
	Prometheus   *servers.Prometheus
	Alertmanager *servers.Alertmanager
	Receiver     *Receiver

	options      Options
	rolePassword string
	closers      []func() error
}

// Namespace is that of all sidecars.
const Namespace = "reims"

// pods is how many sidecars there are.
const pods = 3

// Open puts everything up. What it could put up before an error, Close takes down; it
// must be called in any case.
func (s *Stage) Open(ctx context.Context, o Options) error {
	s.options = o
	if err := s.openServers(ctx); err != nil {
		return err
	}
	if err := s.openSidecars(ctx); err != nil {
		return err
	}
	return s.openMonitoring(ctx)
}

// Close takes everything down, the last first.
func (s *Stage) Close() error {
	var errs []error
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// keep notes what Close has to end.
func (s *Stage) keep(closer func() error) { s.closers = append(s.closers, closer) }

func (s *Stage) in(name string) servers.Options {
	return servers.Options{Dir: filepath.Join(s.options.Dir, name), Progress: s.options.Progress}
}

func (s *Stage) openServers(ctx context.Context) error {
	set, err := servers.NewSet(s.in(""))
	if err != nil {
		return err
	}
	group, starting := errgroup.WithContext(ctx)
	for _, server := range set {
		s.keep(server.Close)
		switch server := server.(type) {
		case *servers.Postgres:
			s.Postgres = server
		case *servers.Redis:
			s.Redis = server
		case *servers.MinIO:
			s.MinIO = server
		case *servers.Ollama:
			s.Ollama = server
		}
		group.Go(func() error { return server.Start(starting) })
	}
	return group.Wait()
}

// vars are a sidecar's: the servers, and intervals divided like everything else.
func (s *Stage) vars() []servers.Var {
	var vars []servers.Var
	for _, server := range []servers.Server{s.Postgres, s.Redis, s.MinIO, s.Ollama} {
		vars = append(vars, server.Env()...)
	}
	vars = append(vars,
		servers.Var{Name: "LOG_FORMAT", Value: "json"},
		servers.Var{Name: "MINIO_BUCKETS", Value: bucket},
		servers.Var{Name: "DATABASE_USER", Value: role},
		servers.Var{Name: "DATABASE_PASSWORD", Value: s.rolePassword})
	for service, seconds := range map[string]int{"DATABASE": 5, "REDIS": 5, "MINIO": 10, "OLLAMA": 10} {
		interval := time.Duration(seconds) * time.Second / time.Duration(s.options.Factor)
		vars = append(vars,
			servers.Var{Name: service + "_PROBE_INTERVAL", Value: interval.String()},
			servers.Var{Name: service + "_PROBE_TIMEOUT", Value: "1s"})
	}
	return vars
}

func (s *Stage) openSidecars(ctx context.Context) (err error) {
	if err := s.fill(ctx); err != nil {
		return err
	}
	if s.Way, err = servers.NewSwitch(s.Postgres.Addr()); err != nil {
		return err
	}
	s.keep(func() error { s.Way.Close(); return nil })
	for i := range pods {
		vars := s.vars()
		if i == pods-1 {
			vars = append(vars, servers.Var{Name: "DATABASE_PORT", Value: strconv.Itoa(s.Way.Port())})
		}
		sidecar, err := servers.NewSidecar(servers.SidecarOptions{
			Options: s.in(podName(i)), Program: s.options.Program, Vars: vars,
		})
		if err != nil {
			return err
		}
		s.keep(sidecar.Close)
		if err := sidecar.Start(ctx); err != nil {
			return err
		}
		s.Sidecars = append(s.Sidecars, sidecar)
	}
	return nil
}

func podName(i int) string { return fmt.Sprintf("api-%d", i) }

// fill makes what the sidecars look for: the schema, a role, a bucket.
func (s *Stage) fill(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.rolePassword = rand.Text()
	return errors.Join(
		s.Postgres.SQL(ctx, "create role "+role+" login in role pg_read_all_data, pg_monitor password '"+s.rolePassword+"'"),
		s.MinIO.MakeBucket(ctx, bucket),
	)
}

// migrate brings the database to the schema that the sidecars want.
func (s *Stage) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.options.Program, "migrate", "up")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, v := range s.Postgres.Env() {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate the database: %w\n%s", err, out)
	}
	return nil
}

func (s *Stage) openMonitoring(ctx context.Context) (err error) {
	if s.Receiver, err = NewReceiver(s.options.Notify); err != nil {
		return err
	}
	s.keep(s.Receiver.Close)
	config, err := alertmanagerConfig(s.options.Factor, s.Receiver)
	if err != nil {
		return err
	}
	s.Alertmanager, err = servers.NewAlertmanager(servers.AlertmanagerOptions{Options: s.in("alertmanager"), Config: config})
	if err != nil {
		return err
	}
	s.keep(s.Alertmanager.Close)
	if s.Prometheus, err = s.newPrometheus(); err != nil {
		return err
	}
	s.keep(s.Prometheus.Close)
	if err := s.Alertmanager.Start(ctx); err != nil {
		return err
	}
	return s.Prometheus.Start(ctx)
}

func (s *Stage) newPrometheus() (*servers.Prometheus, error) {
	config, err := prometheusConfig(s.options.Factor, s.Alertmanager.Addr())
	if err != nil {
		return nil, err
	}
	files, err := ruleFiles(s.options.Factor)
	if err != nil {
		return nil, err
	}
	var targets []target
	for i, sidecar := range s.Sidecars {
		targets = append(targets, target{
			Targets: []string{sidecar.Addr()},
			Labels:  map[string]string{"namespace": Namespace, "pod": podName(i), "node": "node-" + strconv.Itoa(i)},
		})
	}
	if files["targets.yaml"], err = yaml.Marshal(targets); err != nil {
		return nil, err
	}
	return servers.NewPrometheus(servers.PrometheusOptions{
		Options: s.in("prometheus"), Config: config, Files: files,
		Args: []string{fmt.Sprintf("--query.lookback-delta=%dms", lookback*1000/s.options.Factor)},
	})
}

// Scrape is how often Prometheus scrapes here.
func (s *Stage) Scrape() time.Duration {
	return scrapeEvery * time.Second / time.Duration(s.options.Factor)
}
