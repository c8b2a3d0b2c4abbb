package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
)

// Rule finds a contradiction between variables. It is skipped while one of them is
// wrong by itself, as its field then holds the default.
//
// What it finds is data where data can say it, because the Helm chart refuses the
// same before anything is installed: see [Export].
type Rule struct {
	Variables []string    // the first is the one that is reported
	When      Patterns    // broken when all match and, where it is given, NotBelow holds
	NotBelow  string      // a duration, which the first variable is not below
	Broken    func() bool // in the place of When, for what patterns cannot say
	Text      string
	Warning   bool
}

// Patterns of effective values, by variable: Go's regexp. A default counts, and a
// switch may be written in any of its words.
type Patterns map[string]string

func (l *loader) checkRules() {
	values := make(map[string]Variable, len(l.variables))
	for _, v := range l.variables {
		values[v.Name] = v
	}
	for _, r := range l.config.rules() {
		switch {
		case slices.ContainsFunc(r.Variables, l.wrong) || !r.holds(values):
		case r.Warning:
			l.warn(r.Variables[0], r.Text)
		default:
			l.problem(r.Variables[0], r.Text)
		}
	}
}

func (r Rule) holds(values map[string]Variable) bool {
	if r.Broken != nil {
		return r.Broken()
	}
	for variable, pattern := range r.When {
		if matched, err := regexp.MatchString(pattern, values[variable].text()); err != nil || !matched {
			return false
		}
	}
	return r.NotBelow == "" || values[r.Variables[0]].field.Int() >= values[r.NotBelow].field.Int()
}

func (c *Config) rules() []Rule {
	all := slices.Concat(c.Health.rules(), kubeRules())
	for _, s := range c.Services {
		all = append(all, s.Settings.Rules(s.Prefix())...)
	}
	for _, s := range c.Services {
		all = append(all, s.Probe.rules(s.Prefix())...)
	}
	return all
}

func (h *Health) rules() []Rule {
	return []Rule{
		{
			Variables: []string{"METRICS_ADDR", "HEALTH_ADDR"},
			Broken:    func() bool { return overlap(h.Addr, h.MetricsAddr) },
			Text:      "same address as HEALTH_ADDR: give one of them another port",
		},
		{
			Variables: []string{"HEALTH_ALLOWED_ORIGINS"},
			When:      Patterns{"HEALTH_ALLOWED_ORIGINS": `,\*|\*,`},
			Text:      "* allows every origin: leave out the others, or *",
		},
		{
			Variables: []string{"HEALTH_STATE_FILE", "HEALTH_OVERRIDE_FILE"},
			Broken: func() bool {
				return h.StateFile != "" && h.OverrideFile != "" &&
					filepath.Clean(h.StateFile) == filepath.Clean(h.OverrideFile)
			},
			Text: "same file as HEALTH_OVERRIDE_FILE: it would be overwritten",
		},
		{
			Variables: []string{"HEALTH_TOKEN", "HEALTH_DETAILS"},
			Broken:    func() bool { return h.Token.Given() && h.Details != "safe" },
			Text:      "has no effect without HEALTH_DETAILS=safe",
			Warning:   true,
		},
	}
}

// kubeRules name each of the variables that reporting lacks.
func kubeRules() []Rule {
	lacking := func(variable, field string) Rule {
		return Rule{
			Variables: []string{variable, "HEALTH_POD_REPORTING"},
			When:      Patterns{variable: "^$", "HEALTH_POD_REPORTING": "^(on|true)$"},
			Text:      "missing, and HEALTH_POD_REPORTING=on needs it: fill it in from " + field + " (downward API)",
		}
	}
	return []Rule{
		lacking("POD_NAME", "metadata.name"),
		lacking("POD_NAMESPACE", "metadata.namespace"),
		lacking("POD_UID", "metadata.uid"),
		{
			Variables: []string{"POD_UID", "HEALTH_STATE_FILE", "HEALTH_POD_REPORTING"},
			When:      Patterns{"POD_UID": "^$", "HEALTH_STATE_FILE": ".", "HEALTH_POD_REPORTING": "^(off|false)$"},
			Text:      "missing, and HEALTH_STATE_FILE needs it: fill it in from metadata.uid (downward API)",
		},
	}
}

// databaseRules follow libpq, but do not pass over in silence what it would ignore.
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
