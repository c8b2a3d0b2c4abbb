package servers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
)

// SidecarOptions say how to start the product.
type SidecarOptions struct {
	Options
	// Program is the path of the built binary.
	Program string
	// Vars are its variables, but for the two addresses.
	Vars []Var
}

// Sidecar is the product itself, as a process that can be killed, frozen and started
// again on the same addresses. Its own is that of the metrics.
type Sidecar struct {
	*Process
	health      int // port
	reservation io.Closer
}

// NewSidecar prepares a sidecar.
func NewSidecar(o SidecarOptions) (*Sidecar, error) {
	p, err := newProcess("sidecar", o.Options)
	if err != nil {
		return nil, err
	}
	s := &Sidecar{Process: p}
	if s.health, s.reservation, err = reservePort(s.Host()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if s.path, err = filepath.Abs(o.Program); err != nil { // it is started in its own folder
		return nil, errors.Join(err, s.Close())
	}
	s.args = []string{"serve"}
	s.env = []string{"HEALTH_ADDR=" + address(s.Host(), s.health), "METRICS_ADDR=" + s.Addr()}
	for _, v := range o.Vars {
		s.env = append(s.env, v.Name+"="+v.Value)
	}
	s.prepare, s.ready = func(context.Context) error { return nil }, s.alive
	return s, nil
}

func (s *Sidecar) alive(ctx context.Context) error {
	return httpOK(ctx, http.DefaultClient, s.Endpoint()+"/live")
}

// Endpoint returns the URL of /health.
func (s *Sidecar) Endpoint() string { return "http://" + address(s.Host(), s.health) + "/health" }

// Env returns nothing: it is the product.
func (s *Sidecar) Env() []Var { return nil }

// Close stops the sidecar for good and gives its ports back.
func (s *Sidecar) Close() error { return errors.Join(s.Process.Close(), s.reservation.Close()) }
