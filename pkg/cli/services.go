package cli

import (
	"errors"
	"log/slog"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
)

// NewServices returns the services that serve checks, in the configured order, and a
// function that closes their clients, also after an error. Each is of one of the kinds. It
// does not connect yet. Pods returns how many Pods the workload has; nil where that is not
// known. It is exported for the tests of scale.
func NewServices(cfg *config.Config, kinds dependency.Kinds, pods func() int, log *slog.Logger) ([]*health.Service, func(), error) {
	var (
		services []*health.Service
		checkers []dependency.Checker
		errs     []error
	)
	for _, s := range cfg.Enabled() {
		watch := idle.NewWatch()
		checker, err := open(s, &cfg.Health, pods, watch, log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		service := newService(s, kinds.Called(s.Kind), checker)
		service.Lost = watch.Lost()
		service.DocsURL = cfg.Health.Docs()
		if len(cfg.Peers.Names) > 0 {
			service.SharedFault = health.SharedFault(s.Probe.SharedFault)
			service.PeersTimeout = cfg.Peers.Timeout
		}
		services = append(services, service)
		checkers = append(checkers, checker)
	}
	closeAll := func() {
		for _, c := range checkers {
			if err := c.Close(); err != nil {
				log.Warn("close client", "error", err)
			}
		}
	}
	return services, closeAll, errors.Join(errs...)
}

func open(s *config.Service, h *config.Health, pods func() int, watch *idle.Watch, log *slog.Logger) (dependency.Checker, error) {
	settings, err := settingsOf(s)
	if err != nil {
		return nil, err
	}
	checker, err := dependency.Open(settings, dependency.Instance{
		Prefix: s.Prefix(), Timeout: s.Probe.Timeout, Environment: h.Environment, CertificateWarning: h.CertificateWarning, Pods: pods, Idle: watch, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return dependency.Advise(checker, s), nil
}

// settingsOf returns the settings of a service, which are of its kind.
func settingsOf(s *config.Service) (dependency.Settings, error) {
	settings, ok := s.Settings.(dependency.Settings)
	if !ok {
		return nil, errors.New(s.Name + " is not of a known kind")
	}
	return settings, nil
}

// databaseSettings returns the settings of the service that the schema is for.
func databaseSettings(cfg *config.Config) (*config.Service, *postgres.Settings, error) {
	s, err := cfg.Service("database")
	if err != nil {
		return nil, nil, err
	}
	settings, ok := s.Settings.(*postgres.Settings)
	if !ok {
		return nil, nil, errors.New("the service database is no PostgreSQL")
	}
	return s, settings, nil
}

func newService(s *config.Service, k *health.Kind, c health.Checker) *health.Service {
	p := s.Probe
	return &health.Service{
		Name:               s.Name,
		Kind:               k,
		Endpoint:           s.Origin.Endpoint(),
		Words:              dependency.Words(s),
		Checker:            c,
		Interval:           p.Interval,
		Timeout:            p.Timeout,
		FailureThreshold:   p.FailureThreshold,
		SuccessThreshold:   p.SuccessThreshold,
		DegradedLatency:    p.DegradedLatency,
		ConnectionLifetime: p.ConnectionLifetime,
		Readiness:          health.Policy(p.Readiness),
		ReadinessGrace:     p.ReadinessGrace,
	}
}
