package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
)

// direct runs each probe here and now, all services at once, and shows what a sidecar
// would make of the last of them. Any that failed fails.
func (c *checking) direct(ctx context.Context, envFile string) error {
	cfg, warnings, err := loadConfig(envFile)
	printWarnings(c.stderr, warnings)
	if err != nil {
		return err
	}
	log := newLogger(cfg, c.stderr)
	cfg.OnSecretHint(logHint(log))
	services, closeClients, err := newServices(cfg, log)
	defer closeClients()
	if err != nil {
		return scrubbed(cfg, err)
	}
	waiting := newWaiting(services)
	stop := c.progress(waiting.String)
	probed, err := probeAll(ctx, services, max(1, c.count), waiting)
	stop()
	if err != nil {
		return c.failed(scrubbed(cfg, err))
	}
	d, err := describe(ctx, probed)
	if err != nil {
		return c.failed(err)
	}
	for i := range d.Services {
		d.Services[i].Error = driverText(cfg, probed[i].worst())
	}
	if c.mode == modeDetailed || c.json {
		return c.details(d)
	}
	return c.probes(d)
}

// probes shows a line a service.
func (c *checking) probes(d *check.Details) error {
	p, longest := c.printer(), 0
	for _, s := range d.Services {
		longest = max(longest, len(s.Name))
	}
	for i := range d.Services {
		p.Probe(&d.Services[i], longest)
	}
	p.DetailsSummary(d)
	if err := p.Err(); err != nil {
		return err
	}
	return down(d)
}

// driverText is the text of what the driver said, for a person on their own terminal,
// and with no secret.
func driverText(cfg *config.Config, r health.Result) string {
	fault := r.Fault()
	if fault == nil || fault.Err == nil {
		return ""
	}
	return cfg.Redactor().Scrub(fault.Err.Error())
}

// probed is a service's results, one a probe.
type probed []health.Result

func (p probed) last() health.Result { return p[len(p)-1] }

// worst is the latest that failed, or else the last.
func (p probed) worst() health.Result {
	for _, r := range slices.Backward(p) {
		if r.Status == health.Unhealthy {
			return r
		}
	}
	return p.last()
}

// probeAll runs count probes of each service, all services at once.
func probeAll(ctx context.Context, services []*health.Service, count int, waiting *waitingFor) ([]probed, error) {
	all := make([]probed, len(services))
	group, ctx := errgroup.WithContext(ctx)
	for i, svc := range services {
		group.Go(func() error {
			defer waiting.done(svc.Name)
			for range count {
				r, err := probeOnce(ctx, svc)
				if err != nil {
					return err
				}
				all[i] = append(all[i], r)
			}
			return nil
		})
	}
	return all, group.Wait()
}

// probeOnce is the first verdict of a monitor of its own: with its timeout, its care
// for a panic, and tried again if this process was starved of CPU.
func probeOnce(ctx context.Context, svc *health.Service) (health.Result, error) {
	monitor, err := health.NewMonitor([]*health.Service{svc})
	if err != nil {
		return health.Result{}, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	updates := monitor.Updates()
	var group errgroup.Group
	group.Go(func() error { return monitor.Start(running) })
	for {
		select {
		case <-ctx.Done():
			return health.Result{}, errors.Join(errors.New("interrupted"), group.Wait())
		case v := <-updates:
			if r := v.Results()[0]; r.Checks > 0 {
				stop()
				_ = group.Wait() // a check that hangs has been judged
				return r, nil
			}
		}
	}
}

// waitingFor tells which services have not been probed yet.
type waitingFor struct {
	mu    sync.Mutex
	names []string
}

func newWaiting(services []*health.Service) *waitingFor {
	w := &waitingFor{}
	for _, s := range services {
		w.names = append(w.names, s.Name)
	}
	return w
}

func (w *waitingFor) done(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range w.names {
		if n == name {
			w.names = append(w.names[:i:i], w.names[i+1:]...)
			return
		}
	}
}

func (w *waitingFor) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return "waiting for " + strings.Join(w.names, ", ")
}
