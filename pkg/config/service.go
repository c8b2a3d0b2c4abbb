package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Service is the settings of one dependency: a section of the reference. Its
// variables begin with the upper case of Name and an underscore.
type Service struct {
	// Name is the service's name in HEALTH_SERVICES, such as database.
	Name string
	// Kind is the name of the kind of dependency that it is, such as postgres.
	Kind string
	// Heading is the section's heading in the reference.
	Heading string
	// Named says that the service is there because HEALTH_SERVICES names it, and that
	// NAME_CHECK says what it is. Fields of its settings with the tag named:"-" are no
	// variables then: the URL says what they hold, or they are not for such a service.
	Named bool
	// Origin is what the service was made of; empty unless Named.
	Origin Origin
	// Given are the variables, without the prefix, that the URL takes the place of.
	Given []string
	// URL is how the value of NAME_CHECK looks, for [Export]; empty in other services.
	URL URLForm
	// Settings is a pointer to a struct of tagged fields, as [Config] has, which holds
	// the defaults. [Load] fills it in.
	Settings Settings
	// Probe is how the service is checked and judged: the defaults, which [Load]
	// overwrites.
	Probe Probe
}

// URLForm is how the URLs of one scheme look.
type URLForm struct {
	// Form is for readers, such as tcp://HOST:PORT.
	Form string `json:"form"`
	// Pattern is matched by all that the program accepts, and by little else.
	Pattern string `json:"pattern"`
}

// Settings is what the tags of a service's fields cannot say. Whatever it returns is
// about the settings as they are at the time of the call.
type Settings interface {
	// Formats returns the syntaxes that the tags of this service name besides those of
	// this package; they may replace none of those. The prefix is that of the service's
	// variables.
	Formats(prefix string) map[string]Format
	// Rules returns the contradictions between variables, each of which begins with
	// prefix.
	Rules(prefix string) []Rule
	// Effective returns what follows from several variables, for [Config.Print]: pairs
	// of a name and a value. The environment is the value of ENVIRONMENT.
	Effective(environment string) [][2]string
}

// Completer is implemented by [Settings] that depend on which variables are set.
type Completer interface {
	// Complete is called by [Load] once all variables have been read. It asks by a name
	// without the prefix.
	Complete(given func(name string) bool)
}

// Deriver is implemented by [Settings] in which one variable may say what others hold.
type Deriver interface {
	// Derived returns, by the name of a variable that is not set, the name of the one that
	// its value is from. Both are without the prefix.
	Derived() map[string]string
}

// source returns the variable that the value of another one, which is not set, is from,
// or "default".
func (s *Service) source(name string) string {
	if slices.Contains(s.Given, name) {
		return s.Prefix() + "CHECK"
	}
	if d, ok := s.Settings.(Deriver); ok && d.Derived()[name] != "" {
		return s.Prefix() + d.Derived()[name]
	}
	return "default"
}

// Prefix returns what the names of the service's variables begin with.
func (s *Service) Prefix() string {
	return strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")) + "_"
}

// Service returns the service of that name, enabled or not.
func (c *Config) Service(name string) (*Service, error) {
	for _, s := range c.Services {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("there is no service %q", name)
}

// Enabled returns the services of HEALTH_SERVICES, in that order.
func (c *Config) Enabled() []*Service {
	var enabled []*Service
	for _, name := range c.Health.Services {
		if s, err := c.Service(name); err == nil {
			enabled = append(enabled, s)
		}
	}
	return enabled
}

// names of all services, enabled or not.
func (c *Config) serviceNames() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

// format returns the format that a tag names, of the service whose variables have that
// prefix; an unknown one is a mistake in a tag, which accepts nothing.
func (c *Config) format(name, prefix string) Format {
	if f, ok := formats()[name]; ok {
		return f
	}
	for _, s := range c.Services {
		if f, ok := s.Settings.Formats(s.Prefix())[name]; ok && s.Prefix() == prefix {
			return f
		}
	}
	return Format{Words: name, Check: func(string) (string, error) { return "", Invalid("unknown format %q", name) }}
}

// Probe is how one service is checked and judged.
type Probe struct {
	Interval           time.Duration `env:"PROBE_INTERVAL" help:"From the end of a check to the start of the next one, give or take a tenth; after a start, a fault or a lost connection between a tenth and eleven tenths, so that the checks of many Pods part."`
	Timeout            time.Duration `env:"PROBE_TIMEOUT" help:"Bound on one check: dial, login and answer. It may exceed the interval, since checks never overlap."`
	FailureThreshold   int           `env:"PROBE_FAILURE_THRESHOLD" min:"1" max:"100" help:"Results in a row that it takes to make the verdict worse."`
	SuccessThreshold   int           `env:"PROBE_SUCCESS_THRESHOLD" min:"1" max:"100" help:"Results in a row that it takes to make the verdict better."`
	DegradedLatency    time.Duration `env:"PROBE_DEGRADED_LATENCY" min:"0s" help:"A good answer that took longer makes the service degraded. 0s is off."`
	ConnectionLifetime time.Duration `env:"PROBE_CONNECTION_LIFETIME" help:"Age at which the connections of the checks are replaced, less up to a sixth. A fault that only dialling shows, of DNS, TLS or the login, is seen that much later; each Pod logs in that often."`
	Readiness          string        `env:"READINESS" oneof:"strict startup ignore" help:"What the service means for /health/ready: it must be proven and not unhealthy; it must have been proven once; or nothing."`
	ReadinessGrace     time.Duration `env:"READINESS_GRACE" min:"0s" help:"For how long a strict service may be unhealthy before readiness follows. 0s is none."`
	SharedFault        string        `env:"SHARED_FAULT" oneof:"hold leave" help:"What happens, with HEALTH_PEERS, while most peers see the fault of a strict service too: the Pod stays ready, or it leaves the Service as without peers."`
}

// DefaultProbe returns how a service is checked where nothing else is set. Two results
// in a row make a verdict worse, one makes it better.
func DefaultProbe(interval, timeout time.Duration, readiness string) Probe {
	return Probe{
		Interval: interval, Timeout: timeout,
		FailureThreshold: 2, SuccessThreshold: 1,
		ConnectionLifetime: time.Minute,
		Readiness:          readiness, SharedFault: "hold",
	}
}

// rules has none on the timeout against the interval: the interval counts from the end
// of a check, so a longer timeout is slow but works.
func (Probe) rules(prefix string) []Rule {
	latency, timeout := prefix+"PROBE_DEGRADED_LATENCY", prefix+"PROBE_TIMEOUT"
	grace, readiness := prefix+"READINESS_GRACE", prefix+"READINESS"
	return []Rule{
		{
			Variables: []string{latency, timeout},
			NotBelow:  timeout,
			Text:      "not below " + timeout + ": no answer could ever be that slow",
		},
		{
			Variables: []string{grace, readiness},
			When:      Patterns{grace: "[1-9]", readiness: "^(startup|ignore)$"},
			Text:      "needs " + readiness + "=strict",
		},
		{
			Variables: []string{prefix + "SHARED_FAULT", "HEALTH_PEERS"},
			When:      Patterns{prefix + "SHARED_FAULT": "^leave$", "HEALTH_PEERS": "^$"},
			Text:      "has no effect without HEALTH_PEERS",
			Warning:   true,
		},
	}
}
