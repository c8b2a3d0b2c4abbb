package dependency

import (
	"io"
	"log/slog"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/idle"
)

// Kind is all that is known of one kind of dependency.
type Kind struct {
	// Kind is what readers are told of it. The variables of the service that has always
	// been of this kind begin with that one's name.
	health.Kind
	// Heading is the kind's name in the reference of variables.
	Heading string
	// Probe is how a service of this kind is checked and judged by default.
	Probe config.Probe
	// Settings returns settings that hold the defaults, of the service that has always been
	// of this kind. Nil where there is none.
	Settings func() Settings
	// Schemes make other services of this kind.
	Schemes []Scheme
	// Targets are what `reims-health wait` can wait for besides the service itself.
	Targets []Target
	// Rows are further rows of the service's dashboard. Gauges and shares that no panel of
	// theirs shows are drawn as the kind describes them.
	Rows []Row
}

// Settings are the variables of a service of one kind. What implements it is a pointer
// to a struct of tagged fields.
type Settings interface {
	config.Settings
	// Open returns the checker of a service with these settings. It dials nothing. It is
	// called by the function [Open], which adds what all kinds that speak TLS report.
	Open(Instance) (Checker, error)
}

// Identifier is implemented by [Settings] that do not say everything about what is
// checked.
type Identifier interface {
	// Identity returns further facts: when one of them changes, what was known of the
	// service counts no more.
	Identity() []string
}

// Waiter is implemented by [Settings] that check more than `reims-health wait` needs.
type Waiter interface {
	// ForWait returns a copy that checks no more.
	ForWait() Settings
}

// Checker checks one service. Closing it gives up its connections, and must not run
// beside a check.
type Checker interface {
	health.Checker
	io.Closer
}

// Instance is what a checker needs to know of its service besides the settings.
type Instance struct {
	// Prefix is what the names of the service's variables begin with, for the advice in
	// messages.
	Prefix string
	// Timeout bounds one check.
	Timeout time.Duration
	// Environment is the value of ENVIRONMENT.
	Environment string
	// CertificateWarning is HEALTH_CERTIFICATE_WARNING: how long before the end of a
	// server's certificate the service becomes degraded.
	CertificateWarning time.Duration
	// Certificates is what the server's certificates are remembered in: see [TLSConfig] and
	// [Certificates.Watch]. [Open] sets it.
	Certificates *Certificates
	// Pods returns how many Pods the workload has, as far as it is known, for what costs
	// a server more with each of them; below 1 where it is not. It does not block. Nil: it
	// is never known.
	Pods func() int
	// Idle watches the connections that the checker keeps, between two checks. Nil: nothing
	// does.
	Idle *idle.Watch
	// Log is told what changes no verdict.
	Log *slog.Logger
}

// Target is something that a service has and that can be waited for by a name of its
// own.
type Target struct {
	Name string
	// Help says in a few words what is waited for.
	Help string
	// Default reports whether it is waited for where nothing is asked for.
	Default func(Settings) bool
	// State says how far it is. The text is why it is not there; empty where nothing is
	// known yet.
	State func(health.Result) (there bool, text string)
}

// LatencyGauge returns the gauge that the predecessor had of a service's latency.
func LatencyGauge(name, service string) health.Gauge {
	return health.Gauge{
		Name:   name,
		Help:   "How long " + service + " took to answer the latest check, in milliseconds: reims_health_probe_last_duration_seconds times 1000.",
		Absent: "while unanswered or stale",
	}
}

// Kinds are all that a program knows, in the order in which readers are shown their
// services.
type Kinds []Kind

// Described returns what readers are told of each kind.
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

// Services returns the services that have always been of a kind, with their default
// settings, for [config.Load]. Each call returns services of its own.
func (ks Kinds) Services() []*config.Service {
	var services []*config.Service
	for _, k := range ks {
		if k.Service != "" {
			services = append(services, &config.Service{Name: k.Service, Kind: k.Name, Heading: k.Heading, Settings: k.Settings(), Probe: k.Probe})
		}
	}
	return services
}

// NamedProbe returns how a service that NAME_CHECK defines is checked where nothing else is set.
func NamedProbe() config.Probe { return config.DefaultProbe(10*time.Second, 2*time.Second, "ignore") }
