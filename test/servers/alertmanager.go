package servers

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"

	"github.com/reims/reims-health/test/servers/install"
)

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
