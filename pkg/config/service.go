package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Service has the settings of one dependency: a section of the reference. The names of its
// variables begin with Name in upper case and an underscore.
type Service struct {
	// Name is the service's name in HEALTH_SERVICES, such as database.
	Name string
	// Kind is the name of its kind of dependency, such as postgres.
	Kind string
	// Heading is the section's heading in the reference.
	Heading string
	// Named says that the service is not built in: HEALTH_SERVICES lists it and NAME_CHECK
	// defines it. Fields of its settings with the tag named:"-" are then not variables: the
	// URL has their values, or they do not apply to such a service.
	Named bool
	// Origin is the URL that defines the service; empty unless Named.
	Origin Origin
	// Given are the variables, without the prefix, whose values the URL has.
	Given []string
	// URL is the form of the value of NAME_CHECK, for [Export]; empty unless Named.
	URL URLForm
	// Settings is a pointer to a struct of tagged fields like those of [Config]. It holds
	// the defaults, and [Load] fills it in.
	Settings Settings
	// Probe has the settings of the service's checks: the defaults, which [Load] overwrites.
	Probe Probe
}

// URLForm is the form of the URLs of one scheme.
type URLForm struct {
	// Form is for readers, such as tcp://HOST:PORT.
	Form string `json:"form"`
	// Pattern matches all URLs that the program accepts, and few others.
	Pattern string `json:"pattern"`
}

// Settings provides what the tags of a service's fields cannot express. Its methods use the
// values of the settings at the time of the call.
type Settings interface {
	// Formats returns additional formats for the tags of this service. They must have other
	// names than the formats of this package. Prefix is that of the service's variables.
	Formats(prefix string) map[string]Format
	// Rules returns the rules for the service's variables, whose names begin with prefix.
	Rules(prefix string) []Rule
	// Effective returns values that are derived from several variables, for [Config.Print],
	// as pairs of a name and a value. Environment is the value of ENVIRONMENT.
	Effective(environment string) [][2]string
}

// Completer is implemented by [Settings] that depend on which variables are set.
type Completer interface {
	// Complete is called by [Load] after all variables were read. Given reports whether the
	// variable with this name, without the prefix, is set.
	Complete(given func(name string) bool)
}

// Deriver is implemented by [Settings] in which one variable can set the values of others.
type Deriver interface {
	// Derived returns, by the name of a variable that is not set, the name of the variable
	// that sets its value. Both are without the prefix.
	Derived() map[string]string
}

// source returns the variable that sets the value of another one, which is not set itself,
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

// Prefix returns the common prefix of the names of the service's variables.
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

// serviceNames returns the names of all services, enabled or not.
func (c *Config) serviceNames() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

// format returns the format with that name, of this package or of the service whose
// variables have that prefix. An unknown name, a mistake in a tag, gives a format that
// accepts nothing.
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

// Probe has the settings of one service's checks and of its verdict.
type Probe struct {
	Interval           time.Duration `env:"PROBE_INTERVAL" help:"Time from the end of a check to the start of the next one, plus or minus 10 %. After a start, a fault or a lost connection it is between 10 % and 110 % of that, so that the checks of many Pods spread out."`
	Timeout            time.Duration `env:"PROBE_TIMEOUT" help:"Timeout of one check: connecting, login and answer. It may exceed the interval, since checks never overlap."`
	FailureThreshold   int           `env:"PROBE_FAILURE_THRESHOLD" min:"1" max:"100" help:"Number of consecutive results that make the verdict worse."`
	SuccessThreshold   int           `env:"PROBE_SUCCESS_THRESHOLD" min:"1" max:"100" help:"Number of consecutive results that make the verdict better."`
	DegradedLatency    time.Duration `env:"PROBE_DEGRADED_LATENCY" min:"0s" help:"A correct answer that took longer makes the service degraded. 0s is off."`
	ConnectionLifetime time.Duration `env:"PROBE_CONNECTION_LIFETIME" help:"Age at which the checks' connections are replaced, minus up to a sixth. A fault of DNS, TLS or the login shows only with a new connection, so it is detected up to that much later. Each Pod logs in that often."`
	Readiness          string        `env:"READINESS" oneof:"strict startup ignore" help:"When the Pod is ready. strict: the service is proven (it was usable once) and not unhealthy. startup: the service is proven. ignore: always, as far as this service goes."`
	ReadinessGrace     time.Duration `env:"READINESS_GRACE" min:"0s" help:"How long a strict service may be unhealthy before the Pod becomes not ready. 0s is no grace period."`
	SharedFault        string        `env:"SHARED_FAULT" oneof:"hold leave" help:"With HEALTH_PEERS, what the Pod does while most peers see the fault of a strict service too. hold: it stays ready. leave: it becomes not ready, as without peers."`
}

// DefaultProbe returns the default settings of checks. Two results in a row make a verdict
// worse, one makes it better.
func DefaultProbe(interval, timeout time.Duration, readiness string) Probe {
	return Probe{
		Interval: interval, Timeout: timeout,
		FailureThreshold: 2, SuccessThreshold: 1,
		ConnectionLifetime: time.Minute,
		Readiness:          readiness, SharedFault: "hold",
	}
}

// rules has no rule that the timeout is below the interval, since the interval counts from
// the end of a check: a longer timeout works.
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
