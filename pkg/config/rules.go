package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
)

// A rule finds a contradiction between variables. It is skipped while one of them
// is wrong by itself, as its field then holds the default.
type rule struct {
	variables []string // the first is the one that is reported
	broken    func(c *Config) bool
	text      string
	warning   bool
}

func (l *loader) checkRules() {
	all := slices.Concat(l.config.rules(),
		probeRules("DATABASE", l.config.Database.Probe), probeRules("REDIS", l.config.Redis.Probe),
		probeRules("MINIO", l.config.MinIO.Probe), probeRules("OLLAMA", l.config.Ollama.Probe))
	for _, r := range all {
		switch {
		case slices.ContainsFunc(r.variables, l.wrong) || !r.broken(l.config):
		case r.warning:
			l.warn(r.variables[0], r.text)
		default:
			l.problem(r.variables[0], r.text)
		}
	}
}

func (c *Config) rules() []rule {
	return slices.Concat(healthRules(), kubeRules(), databaseRules(), serviceRules())
}

func healthRules() []rule {
	return []rule{
		{
			variables: []string{"METRICS_ADDR", "HEALTH_ADDR"},
			broken:    func(c *Config) bool { return overlap(c.Health.Addr, c.Health.MetricsAddr) },
			text:      "same address as HEALTH_ADDR: give one of them another port",
		},
		{
			variables: []string{"HEALTH_ALLOWED_ORIGINS"},
			broken: func(c *Config) bool {
				return len(c.Health.AllowedOrigins) > 1 && slices.Contains(c.Health.AllowedOrigins, "*")
			},
			text: "* allows every origin: leave out the others, or *",
		},
		{
			variables: []string{"HEALTH_STATE_FILE", "HEALTH_OVERRIDE_FILE"},
			broken: func(c *Config) bool {
				return c.Health.StateFile != "" && c.Health.OverrideFile != "" &&
					filepath.Clean(c.Health.StateFile) == filepath.Clean(c.Health.OverrideFile)
			},
			text: "same file as HEALTH_OVERRIDE_FILE: it would be overwritten",
		},
		{
			variables: []string{"HEALTH_TOKEN", "HEALTH_DETAILS"},
			broken:    func(c *Config) bool { return c.Health.Token.Given() && c.Health.Details != "safe" },
			text:      "has no effect without HEALTH_DETAILS=safe",
			warning:   true,
		},
	}
}

// kubeRules name each of the variables that reporting lacks.
func kubeRules() []rule {
	lacking := func(variable, field string, value func(Kube) string) rule {
		return rule{
			variables: []string{variable, "HEALTH_POD_REPORTING"},
			broken:    func(c *Config) bool { return bool(c.Kube.PodReporting) && value(c.Kube) == "" },
			text:      "missing, and HEALTH_POD_REPORTING=on needs it: fill it in from " + field + " (downward API)",
		}
	}
	return []rule{
		lacking("POD_NAME", "metadata.name", func(k Kube) string { return k.PodName }),
		lacking("POD_NAMESPACE", "metadata.namespace", func(k Kube) string { return k.PodNamespace }),
		lacking("POD_UID", "metadata.uid", func(k Kube) string { return k.PodUID }),
		{
			variables: []string{"POD_UID", "HEALTH_STATE_FILE", "HEALTH_POD_REPORTING"},
			broken: func(c *Config) bool {
				return c.Health.StateFile != "" && c.Kube.PodUID == "" && !bool(c.Kube.PodReporting)
			},
			text: "missing, and HEALTH_STATE_FILE needs it: fill it in from metadata.uid (downward API)",
		},
	}
}

// databaseRules follow libpq, but do not pass over in silence what it would ignore.
func databaseRules() []rule {
	return []rule{
		{
			variables: []string{"DATABASE_SSLMODE", "DATABASE_HOST"},
			broken: func(c *Config) bool {
				return c.Database.Socket() && slices.Contains([]string{"require", "verify-ca", "verify-full"}, c.Database.SSLMode)
			},
			text: "a Unix socket (DATABASE_HOST) has no TLS: leave the mode out",
		},
		{
			variables: []string{"DATABASE_SSLROOTCERT", "DATABASE_SSLMODE"},
			broken: func(c *Config) bool {
				return c.Database.SSLRootCert != "" && slices.Contains([]string{"disable", "allow", "prefer"}, c.Database.SSLMode)
			},
			text: "DATABASE_SSLMODE verifies no certificate: set it to verify-full or verify-ca, or leave it out (verify-full)",
		},
		{
			variables: []string{"DATABASE_SSLROOTCERT", "DATABASE_HOST"},
			broken:    func(c *Config) bool { return c.Database.SSLRootCert != "" && c.Database.Socket() },
			text:      "a Unix socket (DATABASE_HOST) has no TLS: leave the certificate out",
		},
		{
			variables: []string{"DATABASE_SSLCERT", "DATABASE_SSLKEY"},
			broken:    func(c *Config) bool { return c.Database.SSLCert != "" && c.Database.SSLKey == "" },
			text:      "needs its key: set DATABASE_SSLKEY",
		},
		{
			variables: []string{"DATABASE_SSLKEY", "DATABASE_SSLCERT"},
			broken:    func(c *Config) bool { return c.Database.SSLKey != "" && c.Database.SSLCert == "" },
			text:      "needs its certificate: set DATABASE_SSLCERT",
		},
		{
			variables: []string{"DATABASE_SSLCERT", "DATABASE_SSLKEY", "DATABASE_SSLMODE", "DATABASE_HOST"},
			broken: func(c *Config) bool {
				return c.Database.SSLCert != "" && c.Database.SSLKey != "" && c.DatabaseSSLMode() == "disable"
			},
			text: "no TLS is used, by DATABASE_SSLMODE=disable or on a Unix socket: leave the certificate out",
		},
	}
}

func serviceRules() []rule {
	return []rule{
		{
			variables: []string{"REDIS_CA_FILE", "REDIS_TLS"},
			broken:    func(c *Config) bool { return c.Redis.CAFile != "" && !bool(c.Redis.TLS) },
			text:      "needs REDIS_TLS=on",
		},
		{
			variables: []string{"REDIS_USERNAME", "REDIS_PASSWORD"},
			broken:    func(c *Config) bool { return c.Redis.Username != "" && !c.Redis.Password.Given() },
			text:      "has no effect without REDIS_PASSWORD",
			warning:   true,
		},
		{
			variables: []string{"MINIO_CA_FILE", "MINIO_SECURE"},
			broken:    func(c *Config) bool { return c.MinIO.CAFile != "" && !bool(c.MinIO.Secure) },
			text:      "needs MINIO_SECURE=on",
		},
		{
			variables: []string{"OLLAMA_PORT", "OLLAMA_HOST"},
			broken: func(c *Config) bool {
				u, err := c.Ollama.BaseURL()
				return err == nil && c.Ollama.portSet && u.Port() != itoa(c.Ollama.Port)
			},
			text:    "has no effect: OLLAMA_HOST has a port of its own, which wins",
			warning: true,
		},
	}
}

// probeRules has none on the timeout against the interval: the interval counts
// from the end of a check, so a longer timeout is slow but works.
func probeRules(prefix string, p Probe) []rule {
	latency, grace := prefix+"_PROBE_DEGRADED_LATENCY", prefix+"_READINESS_GRACE"
	return []rule{
		{
			variables: []string{latency, prefix + "_PROBE_TIMEOUT"},
			broken:    func(*Config) bool { return p.DegradedLatency >= p.Timeout },
			text:      "not below " + prefix + "_PROBE_TIMEOUT: no answer could ever be that slow",
		},
		{
			variables: []string{grace, prefix + "_READINESS"},
			broken:    func(*Config) bool { return p.ReadinessGrace > 0 && p.Readiness != "strict" },
			text:      "needs " + prefix + "_READINESS=strict",
		},
	}
}

// overlap reports whether two listeners would collide: the same port, and the
// same address or all addresses.
func overlap(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA == "0" {
		return false
	}
	return portA == portB && (hostA == hostB || isWildcard(hostA) || isWildcard(hostB))
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || err == nil && addr.IsUnspecified()
}
