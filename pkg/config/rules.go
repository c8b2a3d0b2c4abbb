package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
)

// Rule describes a contradiction between variables. It is not checked if one of them has
// a problem, since its field then holds the default.
//
// A rule uses When and NotBelow if they can express it, because the Helm chart then rejects
// the same contradiction before the installation: see [Export].
type Rule struct {
	Variables []string    // the first is the Variable of the problem
	When      Patterns    // the rule is broken if all match and, if it is set, NotBelow holds
	NotBelow  string      // name of a duration: the first variable is equal to it or above
	Broken    func() bool // replaces When for conditions that patterns cannot express
	Text      string
	// Named replaces Text for a service that NAME_CHECK defines, if the URL has the value of
	// one of the variables. If Named is empty, the rule is not checked for such a service.
	Named   string
	Warning bool
}

// Patterns are regular expressions for effective values, by variable. A variable that is
// not set has its default. A switch may have any of its words.
type Patterns map[string]string

func (l *loader) checkRules() {
	values := make(map[string]Variable, len(l.variables))
	for _, v := range allVariables(l.config) {
		values[v.Name] = v
	}
	for _, r := range l.config.rules() {
		if slices.ContainsFunc(r.Variables, func(name string) bool { return values[name].hidden }) {
			if r.Text = r.Named; r.Text == "" {
				continue
			}
		}
		switch {
		case slices.ContainsFunc(r.Variables, l.hasProblem) || !r.isBroken(values):
		case r.Warning:
			l.warn(r.Variables[0], r.Text)
		default:
			l.problem(r.Variables[0], r.Text)
		}
	}
}

// isBroken reports whether the values contradict each other.
func (r Rule) isBroken(values map[string]Variable) bool {
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
	all := slices.Concat(c.Peers.rules(&c.Health), c.Health.rules(), kubeRules())
	for _, s := range c.Services {
		all = append(all, s.Settings.Rules(s.Prefix())...)
	}
	for _, s := range c.Services {
		all = append(all, s.Probe.rules(s.Prefix())...)
	}
	return all
}

func (h *Health) rules() []Rule {
	return append(slices.Concat(tlsRules("HEALTH_TLS_"), tlsRules("METRICS_TLS_")), []Rule{
		{
			Variables: []string{"HEALTH_SERVICES"},
			Broken:    func() bool { return len(h.Services) > maxServices }, // see Rules.MaxServices
			Text:      "lists more services than " + itoa(maxServices),
		},
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
			Variables: []string{"HEALTH_TOKEN", "HEALTH_DETAILS", "HEALTH_PAGE_DETAILS"},
			Broken: func() bool {
				all, operators := h.PageShown()
				return h.Token.Given() && h.Details != "safe" && (all == operators || !bool(h.Page))
			},
			Text:    "has no effect without HEALTH_DETAILS=safe",
			Warning: true,
		},
		{
			Variables: []string{"HEALTH_PAGE_DETAILS", "HEALTH_PAGE"},
			When:      Patterns{"HEALTH_PAGE_DETAILS": ".", "HEALTH_PAGE": PatternOff},
			Text:      "has no effect with HEALTH_PAGE=off",
			Warning:   true,
		},
	}...)
}

// tlsRules are about the files that a listener needs for HTTPS.
func tlsRules(prefix string) []Rule {
	needs := func(variable, other, text string) Rule {
		return Rule{
			Variables: []string{prefix + variable, prefix + other},
			When:      Patterns{prefix + variable: ".", prefix + other: "^$"},
			Text:      text + ": set " + prefix + other + ", too",
		}
	}
	return []Rule{
		needs("CERT_FILE", "KEY_FILE", "a certificate is of no use without its key"),
		needs("KEY_FILE", "CERT_FILE", "a key is of no use without its certificate"),
		needs("CLIENT_CA_FILE", "CERT_FILE", "only HTTPS has client certificates"),
	}
}

func (p *Peers) rules(h *Health) []Rule {
	return []Rule{
		{
			Variables: []string{"HEALTH_PEERS", "HEALTH_ADDR"},
			Broken: func() bool {
				_, port, _ := net.SplitHostPort(h.Addr)
				return port == "0" && slices.ContainsFunc(p.Names, func(name string) bool { return portOf(name) == "" })
			},
			Text: "has no port, and HEALTH_ADDR has port 0: give the port at which the peers answer, as in NAME:8008",
		},
		{
			Variables: []string{"HEALTH_PEERS_CA_FILE", "HEALTH_PEERS", "HEALTH_TLS_CERT_FILE"},
			When:      Patterns{"HEALTH_PEERS_CA_FILE": "^$", "HEALTH_PEERS": ".", "HEALTH_TLS_CERT_FILE": "."},
			Text:      "missing, and with HEALTH_TLS_CERT_FILE the peers answer HTTPS: give the authority of their certificates",
		},
		{
			Variables: []string{"HEALTH_PEERS_CA_FILE", "HEALTH_PEERS"},
			When:      Patterns{"HEALTH_PEERS_CA_FILE": ".", "HEALTH_PEERS": "^$"},
			Text:      "has no effect without HEALTH_PEERS",
			Warning:   true,
		},
		{
			Variables: []string{"POD_IP", "HEALTH_PEERS"},
			When:      Patterns{"POD_IP": "^$", "HEALTH_PEERS": "^[^,]+$"},
			Text:      "missing, and HEALTH_PEERS is the name of all Pods: fill it in from status.podIP (downward API), or this Pod is told from its peers only by asking itself",
			Warning:   true,
		},
	}
}

// kubeRules report each variable that reporting to Kubernetes lacks.
func kubeRules() []Rule {
	lacking := func(variable, field string) Rule {
		return Rule{
			Variables: []string{variable, "HEALTH_POD_REPORTING"},
			When:      Patterns{variable: "^$", "HEALTH_POD_REPORTING": PatternOn},
			Text:      "missing, and HEALTH_POD_REPORTING=on needs it: fill it in from " + field + " (downward API)",
		}
	}
	return []Rule{
		lacking("POD_NAME", "metadata.name"),
		lacking("POD_NAMESPACE", "metadata.namespace"),
		lacking("POD_UID", "metadata.uid"),
		{
			Variables: []string{"POD_UID", "HEALTH_STATE_FILE", "HEALTH_POD_REPORTING"},
			When:      Patterns{"POD_UID": "^$", "HEALTH_STATE_FILE": ".", "HEALTH_POD_REPORTING": PatternOff},
			Text:      "missing, and HEALTH_STATE_FILE needs it: fill it in from metadata.uid (downward API)",
		},
	}
}

// overlap reports whether two listeners would conflict: they have the same port, and the
// same address or one of them has all addresses.
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
