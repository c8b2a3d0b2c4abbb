package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
)

// A rule finds a contradiction between variables. It is skipped while one of them
// is wrong by itself, as its field then holds the default.
//
// What it finds is data where data can say it, because the Helm chart refuses the
// same before anything is installed: see [Export].
type rule struct {
	variables []string             // the first is the one that is reported
	when      patterns             // broken when all match and, where it is given, notBelow holds
	notBelow  string               // a duration, which the first variable is not below
	broken    func(c *Config) bool // in the place of when, for what patterns cannot say
	text      string
	warning   bool
}

// patterns of effective values, by variable: Go's regexp. A default counts, and a
// switch may be written in any of its words.
type patterns map[string]string

func (l *loader) checkRules() {
	values := make(map[string]Variable, len(l.variables))
	for _, v := range l.variables {
		values[v.Name] = v
	}
	for _, r := range l.config.rules() {
		switch {
		case slices.ContainsFunc(r.variables, l.wrong) || !r.holds(l.config, values):
		case r.warning:
			l.warn(r.variables[0], r.text)
		default:
			l.problem(r.variables[0], r.text)
		}
	}
}

func (r rule) holds(c *Config, values map[string]Variable) bool {
	if r.broken != nil {
		return r.broken(c)
	}
	for variable, pattern := range r.when {
		if matched, err := regexp.MatchString(pattern, values[variable].text()); err != nil || !matched {
			return false
		}
	}
	return r.notBelow == "" || values[r.variables[0]].field.Int() >= values[r.notBelow].field.Int()
}

func (c *Config) rules() []rule {
	return slices.Concat(healthRules(), kubeRules(), databaseRules(), serviceRules(),
		probeRules("DATABASE"), probeRules("REDIS"), probeRules("MINIO"), probeRules("OLLAMA"))
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
			when:      patterns{"HEALTH_ALLOWED_ORIGINS": `,\*|\*,`},
			text:      "* allows every origin: leave out the others, or *",
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
	lacking := func(variable, field string) rule {
		return rule{
			variables: []string{variable, "HEALTH_POD_REPORTING"},
			when:      patterns{variable: "^$", "HEALTH_POD_REPORTING": "^(on|true)$"},
			text:      "missing, and HEALTH_POD_REPORTING=on needs it: fill it in from " + field + " (downward API)",
		}
	}
	return []rule{
		lacking("POD_NAME", "metadata.name"),
		lacking("POD_NAMESPACE", "metadata.namespace"),
		lacking("POD_UID", "metadata.uid"),
		{
			variables: []string{"POD_UID", "HEALTH_STATE_FILE", "HEALTH_POD_REPORTING"},
			when:      patterns{"POD_UID": "^$", "HEALTH_STATE_FILE": ".", "HEALTH_POD_REPORTING": "^(off|false)$"},
			text:      "missing, and HEALTH_STATE_FILE needs it: fill it in from metadata.uid (downward API)",
		},
	}
}

// databaseRules follow libpq, but do not pass over in silence what it would ignore.
func databaseRules() []rule {
	return []rule{
		{
			variables: []string{"DATABASE_SSLMODE", "DATABASE_HOST"},
			when:      patterns{"DATABASE_HOST": "^/", "DATABASE_SSLMODE": "^(require|verify-ca|verify-full)$"},
			text:      "a Unix socket (DATABASE_HOST) has no TLS: leave the mode out",
		},
		{
			variables: []string{"DATABASE_SSLROOTCERT", "DATABASE_SSLMODE"},
			when:      patterns{"DATABASE_SSLROOTCERT": ".", "DATABASE_SSLMODE": "^(disable|allow|prefer)$"},
			text:      "DATABASE_SSLMODE verifies no certificate: set it to verify-full or verify-ca, or leave it out (verify-full)",
		},
		{
			variables: []string{"DATABASE_SSLROOTCERT", "DATABASE_HOST"},
			when:      patterns{"DATABASE_SSLROOTCERT": ".", "DATABASE_HOST": "^/"},
			text:      "a Unix socket (DATABASE_HOST) has no TLS: leave the certificate out",
		},
		{
			variables: []string{"DATABASE_SSLCERT", "DATABASE_SSLKEY"},
			when:      patterns{"DATABASE_SSLCERT": ".", "DATABASE_SSLKEY": "^$"},
			text:      "needs its key: set DATABASE_SSLKEY",
		},
		{
			variables: []string{"DATABASE_SSLKEY", "DATABASE_SSLCERT"},
			when:      patterns{"DATABASE_SSLKEY": ".", "DATABASE_SSLCERT": "^$"},
			text:      "needs its certificate: set DATABASE_SSLCERT",
		},
		{
			variables: []string{"DATABASE_SSLCERT", "DATABASE_SSLKEY", "DATABASE_SSLMODE"},
			when:      patterns{"DATABASE_SSLCERT": ".", "DATABASE_SSLKEY": ".", "DATABASE_SSLMODE": "^disable$"},
			text:      noTLS,
		},
		{
			variables: []string{"DATABASE_SSLCERT", "DATABASE_SSLKEY", "DATABASE_SSLMODE", "DATABASE_HOST"},
			when:      patterns{"DATABASE_SSLCERT": ".", "DATABASE_SSLKEY": ".", "DATABASE_SSLMODE": "^$", "DATABASE_HOST": "^/"},
			text:      noTLS,
		},
	}
}

const noTLS = "no TLS is used, by DATABASE_SSLMODE=disable or on a Unix socket: leave the certificate out"

func serviceRules() []rule {
	return []rule{
		{
			variables: []string{"REDIS_CA_FILE", "REDIS_TLS"},
			when:      patterns{"REDIS_CA_FILE": ".", "REDIS_TLS": "^(off|false)$"},
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
			when:      patterns{"MINIO_CA_FILE": ".", "MINIO_SECURE": "^(off|false)$"},
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
func probeRules(prefix string) []rule {
	latency, timeout := prefix+"_PROBE_DEGRADED_LATENCY", prefix+"_PROBE_TIMEOUT"
	grace, readiness := prefix+"_READINESS_GRACE", prefix+"_READINESS"
	return []rule{
		{
			variables: []string{latency, timeout},
			notBelow:  timeout,
			text:      "not below " + timeout + ": no answer could ever be that slow",
		},
		{
			variables: []string{grace, readiness},
			when:      patterns{grace: "[1-9]", readiness: "^(startup|ignore)$"},
			text:      "needs " + readiness + "=strict",
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
