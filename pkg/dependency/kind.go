package dependency

import (
	"io"
	"log/slog"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
)

// Kind is one kind of dependency.
type Kind struct {
	// Kind describes it for readers. Its Service is the name of the built-in service of
	// this kind, if there is one.
	health.Kind
	// Heading is the kind's name in the reference of variables.
	Heading string
	// Probe has the default settings of checks of the built-in service.
	Probe config.Probe
	// Settings returns the default settings of the built-in service. Nil if there is none.
	Settings func() Settings
	// Schemes are the URL schemes that define other services of this kind.
	Schemes []Scheme
	// Targets are what `reims-health wait` can wait for besides the service itself.
	Targets []Target
	// Rows are additional rows of the service's dashboard. Gauges and shares that are not
	// in their panels get panels by default.
	Rows []Row
}

// Settings are the variables of a service of one kind: a pointer to a struct of tagged
// fields.
type Settings interface {
	config.Settings
	// Open returns the checker of a service with these settings. It does not connect. The
	// function [Open] calls it, and adds the checks of certificates.
	Open(Instance) (Checker, error)
}

// Identifier is implemented by [Settings] whose checks also depend on other values.
type Identifier interface {
	// Identity returns these values. If one of them changes, the restored state of the
	// service is discarded.
	Identity() []string
}

// Waiter is implemented by [Settings] that check more than `reims-health wait` needs.
type Waiter interface {
	// ForWait returns a copy that checks only what wait needs.
	ForWait() Settings
}

// Checker checks one service. Close closes its connections, and must not be called during a
// check.
type Checker interface {
	health.Checker
	io.Closer
}

// Instance is what a checker needs besides the settings of its service.
type Instance struct {
	// Prefix is the prefix of the names of the service's variables, for messages.
	Prefix string
	// Timeout bounds one check.
	Timeout time.Duration
	// Environment is the value of ENVIRONMENT.
	Environment string
	// CertificateWarning is HEALTH_CERTIFICATE_WARNING: how long before the end of a
	// server's certificate the service becomes degraded.
	CertificateWarning time.Duration
	// Certificates stores the validity of the server's certificates: see [TLSConfig] and
	// [Certificates.Watch]. [Open] sets it.
	Certificates *Certificates
	// Pods returns the number of Pods of the workload, or less than 1 if it is unknown. A
	// checker uses it to limit load that grows with the number of Pods. It does not block.
	// Nil: the number is unknown.
	Pods func() int
	// Idle watches the checker's connections between two checks. Nil: they are not watched.
	Idle *idle.Watch
	// Log receives messages that do not affect the verdict.
	Log *slog.Logger
}

// Target is a part of a service that `reims-health wait` can wait for by its own name.
type Target struct {
	Name string
	// Help says in a few words what is waited for.
	Help string
	// Default reports whether wait waits for it if no targets are given.
	Default func(Settings) bool
	// State reports whether the target is ready. The text says why it is not; it is empty
	// while this is unknown.
	State func(health.Result) (there bool, text string)
}

// LatencyGauge returns the gauge of a service's latency under its old name.
func LatencyGauge(name, service string) health.Gauge {
	return health.Gauge{
		Name:   name,
		Help:   "How long " + service + " took to answer the latest check, in milliseconds: reims_health_probe_last_duration_seconds times 1000.",
		Absent: "while unanswered or stale",
	}
}

// Kinds are the kinds of a program, in the order in which readers see their services.
type Kinds []Kind

// Described returns the description of each kind for readers.
func (ks Kinds) Described() []*health.Kind {
	described := make([]*health.Kind, len(ks))
	for i := range ks {
		described[i] = &ks[i].Kind
	}
	return described
}

// Called returns the kind of that name, or nil.
func (ks Kinds) Called(name string) *health.Kind {
	for _, k := range ks.Described() {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// Services returns the built-in services with their default settings, for [config.Load]. Each
// call returns new ones.
func (ks Kinds) Services() []*config.Service {
	var services []*config.Service
	for _, k := range ks {
		if k.Service != "" {
			services = append(services, &config.Service{Name: k.Service, Kind: k.Name, Heading: k.Heading, Settings: k.Settings(), Probe: k.Probe})
		}
	}
	return services
}

// NamedProbe returns the default settings of checks of a service that NAME_CHECK defines.
func NamedProbe() config.Probe { return config.DefaultProbe(10*time.Second, 2*time.Second, "ignore") }
