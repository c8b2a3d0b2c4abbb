package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/reims/reims-health/test/servers/install"
)

// PrometheusOptions say how to start a Prometheus.
type PrometheusOptions struct {
	Options
	// Config is the text of prometheus.yml. Relative paths in it are in the server's
	// folder.
	Config []byte
	// Files are further files of that folder, by their paths in it: rules, targets.
	Files map[string][]byte
	// Args are further arguments, such as "--query.lookback-delta=10s".
	Args []string
}

// Prometheus is a Prometheus with an empty database.
type Prometheus struct {
	*Process
	options PrometheusOptions
}

// NewPrometheus prepares a Prometheus.
func NewPrometheus(o PrometheusOptions) (*Prometheus, error) {
	p, err := newProcess("prometheus", o.Options)
	if err != nil {
		return nil, err
	}
	s := &Prometheus{Process: p, options: o}
	s.prepare, s.ready = s.configure, s.isReady
	s.args = append([]string{
		"--config.file=" + filepath.Join(s.dir, "prometheus.yml"),
		"--storage.tsdb.path=" + filepath.Join(s.dir, "data"),
		"--web.listen-address=" + s.Addr(),
		"--web.external-url=" + s.Endpoint(),
	}, o.Args...)
	return s, nil
}

func (s *Prometheus) configure(ctx context.Context) (err error) {
	if err := install.Packages(ctx, s.progress(), "prometheus"); err != nil {
		return err
	}
	if s.path, err = exec.LookPath("prometheus"); err != nil {
		return err
	}
	for name, text := range s.options.Files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := s.writeFile(path, string(text)); err != nil {
			return err
		}
	}
	return s.writeFile(filepath.Join(s.dir, "prometheus.yml"), string(s.options.Config))
}

func (s *Prometheus) isReady(ctx context.Context) error {
	return httpOK(ctx, http.DefaultClient, s.Endpoint()+"/-/ready")
}

// Endpoint returns the server's URL.
func (s *Prometheus) Endpoint() string { return "http://" + s.Addr() }

// Env returns nothing: the product does not ask Prometheus.
func (s *Prometheus) Env() []Var { return nil }

// Promtool returns the path of Prometheus' checker, which it installs.
func Promtool(ctx context.Context, o Options) (string, error) {
	return programOf(ctx, o, "prometheus", "promtool")
}

// Amtool returns the path of Alertmanager's command line, which it installs.
func Amtool(ctx context.Context, o Options) (string, error) {
	return programOf(ctx, o, "prometheus-alertmanager", "amtool")
}

func programOf(ctx context.Context, o Options, pkg, program string) (string, error) {
	if err := install.Packages(ctx, install.Lines(o.Progress), pkg); err != nil {
		return "", err
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("find %s of the package %s: %w", program, pkg, err)
	}
	return path, nil
}

// AlertmanagerOptions say how to start an Alertmanager.
type AlertmanagerOptions struct {
	Options
	// Config is the text of alertmanager.yml.
	Config []byte
}

// Alertmanager is an Alertmanager that knows no others.
type Alertmanager struct {
	*Process
	config []byte
}

// NewAlertmanager prepares an Alertmanager.
func NewAlertmanager(o AlertmanagerOptions) (*Alertmanager, error) {
	p, err := newProcess("alertmanager", o.Options)
	if err != nil {
		return nil, err
	}
	s := &Alertmanager{Process: p, config: o.Config}
	s.prepare, s.ready = s.configure, s.isReady
	s.args = []string{
		"--config.file=" + s.configFile(),
		"--storage.path=" + filepath.Join(s.dir, "data"),
		"--web.listen-address=" + s.Addr(),
		"--web.external-url=" + s.Endpoint(),
		"--cluster.listen-address=", // else it listens on all interfaces for its peers
	}
	return s, nil
}

func (s *Alertmanager) configFile() string { return filepath.Join(s.dir, "alertmanager.yml") }

func (s *Alertmanager) configure(ctx context.Context) (err error) {
	if err := install.Packages(ctx, s.progress(), "prometheus-alertmanager"); err != nil {
		return err
	}
	if s.path, err = exec.LookPath("prometheus-alertmanager"); err != nil {
		return err
	}
	return s.writeFile(s.configFile(), string(s.config))
}

func (s *Alertmanager) isReady(ctx context.Context) error {
	return httpOK(ctx, http.DefaultClient, s.Endpoint()+"/-/ready")
}

// Endpoint returns the server's URL.
func (s *Alertmanager) Endpoint() string { return "http://" + s.Addr() }

// Env returns nothing: the product does not ask Alertmanager.
func (s *Alertmanager) Env() []Var { return nil }
