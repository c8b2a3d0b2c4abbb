package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
	// Named takes the place of Text for a service that NAME_CHECK defines, where one of the
	// variables is what its URL says. Without it such a rule is passed over.
	Named   string
	Warning bool
}

// Patterns of effective values, by variable: Go's regexp. A default counts, and a
// switch may be written in any of its words.
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
	all := slices.Concat(c.Health.rules(), c.Peers.rules(&c.Health), kubeRules())
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

// tlsRules are about the files by which a listener answers HTTPS.
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

// kubeRules name each of the variables that reporting lacks.
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

// Rules are what [Load] refuses, as data for programs in other languages. The Helm
// chart's templates refuse by them, before anything is installed, what would end the
// sidecar with exit code 2 afterwards.
type Rules struct {
	Formats        map[string]FormatRule   `json:"formats"`
	Variables      map[string]VariableRule `json:"variables"`
	Contradictions []Contradiction         `json:"contradictions"`
	// MaxServices is how many services HEALTH_SERVICES may list.
	MaxServices int `json:"maxServices"`
	// Schemes are what the URL in NAME_CHECK may begin with.
	Schemes map[string]SchemeRules `json:"schemes"`
}

// SchemeRules are about a service that NAME_CHECK defines by a URL of one scheme. Names
// of variables have no prefix; in texts, {NAME}_ stands for it.
type SchemeRules struct {
	Variables      map[string]VariableRule `json:"variables"`
	Contradictions []Contradiction         `json:"contradictions,omitempty"`
	// Given are variables that the scheme takes the place of, such as TLS: to set one is
	// an error.
	Given []string `json:"given,omitempty"`
	// URL is how the value of NAME_CHECK looks.
	URL URLForm `json:"url"`
}

// FormatRule is the syntax of a text. Patterns are Go's regexp.
type FormatRule struct {
	Pattern string `json:"pattern"`          // accepted texts match it
	Not     string `json:"not,omitempty"`    // and do not match this
	Counts  string `json:"counts,omitempty"` // of a text that matches, only the groups count
	Refusal string `json:"refusal"`          // what to say of another text, after quoting it
}

// VariableRule is about the value of one variable, or each item of its list. One that
// is empty counts as not set.
type VariableRule struct {
	Default string `json:"default,omitempty"`
	Secret  bool   `json:"secret,omitempty"` // NAME_FILE is the path of a file; white space counts
	List    bool   `json:"list,omitempty"`   // items between commas, none twice
	Lower   bool   `json:"lower,omitempty"`  // upper case counts as lower case

	// Unless are variables of which one that is set has this one ignored.
	Unless []string `json:"unless,omitempty"`

	Format   string        `json:"format,omitempty"`   // of a text: one of Formats
	Number   *NumberRule   `json:"number,omitempty"`   // of a whole number
	Duration *DurationRule `json:"duration,omitempty"` // of a duration
}

// NumberRule bounds a whole number.
type NumberRule struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// DurationRule bounds a duration; Max is in seconds.
type DurationRule struct {
	Zero bool `json:"zero,omitempty"` // whether it may be 0s
	Max  int  `json:"max"`
}

// Contradiction is a combination of values that is refused. It is passed over where
// one of its variables is wrong by itself.
type Contradiction struct {
	Variables []string          `json:"variables"`          // the first is the one to name
	When      map[string]string `json:"when,omitempty"`     // patterns of values, or defaults; all match
	NotBelow  string            `json:"notBelow,omitempty"` // the first one's duration is not below this one's
	Refusal   string            `json:"refusal"`
}

// Export returns the rules for these services and, by the scheme of its URL, for each of
// the named ones, which are examples. Rules that no data can say are not among them: that
// HEALTH_ADDR and METRICS_ADDR are not the same address, HEALTH_STATE_FILE and
// HEALTH_OVERRIDE_FILE not the same file, and what a URL holds beyond its form.
func Export(services []*Service, named ...*Service) Rules {
	c := Default(services)
	r := Rules{
		Formats: make(map[string]FormatRule), Variables: make(map[string]VariableRule),
		MaxServices: maxServices, Schemes: make(map[string]SchemeRules),
	}
	for _, v := range variables(c) {
		r.Variables[v.Name] = r.export(v)
	}
	for _, rule := range c.rules() {
		if rule.isData() {
			r.Contradictions = append(r.Contradictions, Contradiction{rule.Variables, rule.When, rule.NotBelow, rule.Text})
		}
	}
	for _, s := range named {
		scheme, _, _ := strings.Cut(s.Origin.Check, "://")
		r.Schemes[scheme] = r.exportScheme(s)
	}
	return r
}

func (r Rule) isData() bool { return r.Broken == nil && !r.Warning }

// export returns the rule of a variable, and adds the format that it names.
func (r *Rules) export(v Variable) VariableRule {
	name := v.formatName()
	if name != "" {
		r.Formats[name] = v.formatRule()
	}
	return v.rule(name)
}

func (r *Rules) exportScheme(s *Service) SchemeRules {
	c, prefix := Default([]*Service{s}), s.Prefix()
	out := SchemeRules{Variables: make(map[string]VariableRule), Given: s.Given, URL: s.URL}
	hidden := make(map[string]string) // what the URL says, by variable
	for _, v := range c.appendService(nil, s) {
		if v.hidden {
			hidden[v.Name] = v.text()
		} else {
			out.Variables[strings.TrimPrefix(v.Name, prefix)] = r.export(v)
		}
	}
	for _, rule := range slices.Concat(s.Settings.Rules(prefix), s.Probe.rules(prefix)) {
		if contradiction, ok := rule.known(hidden); ok && rule.isData() {
			out.Contradictions = append(out.Contradictions, contradiction.without(prefix))
		}
	}
	return out
}

// known returns what is left of a rule where the values of some variables are known; false
// where it cannot be broken, or is not for such a service.
func (r Rule) known(hidden map[string]string) (Contradiction, bool) {
	c := Contradiction{When: make(map[string]string), NotBelow: r.NotBelow, Refusal: r.Text}
	for _, name := range r.Variables {
		if _, ok := hidden[name]; ok {
			c.Refusal = r.Named
		} else {
			c.Variables = append(c.Variables, name)
		}
	}
	for name, pattern := range r.When {
		value, ok := hidden[name]
		if !ok {
			c.When[name] = pattern
		} else if matched, err := regexp.MatchString(pattern, value); err != nil || !matched {
			return Contradiction{}, false
		}
	}
	return c, c.Refusal != "" && len(c.Variables) > 0
}

// without returns it with names of variables that have no prefix.
func (c Contradiction) without(prefix string) Contradiction {
	out := Contradiction{When: make(map[string]string), NotBelow: strings.TrimPrefix(c.NotBelow, prefix), Refusal: strings.ReplaceAll(c.Refusal, prefix, "{NAME}_")}
	for _, name := range c.Variables {
		out.Variables = append(out.Variables, strings.TrimPrefix(name, prefix))
	}
	for name, pattern := range c.When {
		out.When[strings.TrimPrefix(name, prefix)] = pattern
	}
	return out
}

// formatName is empty for numbers, durations and texts of any kind.
func (v Variable) formatName() string {
	if v.oneof != nil {
		words := slices.Clone(v.oneof)
		for _, pair := range v.also {
			other, _, _ := strings.Cut(pair, "=")
			words = append(words, other)
		}
		return strings.Join(words, " ")
	}
	if v.isSwitch() {
		return switchWords
	}
	return v.tag.Get("format")
}

func (v Variable) formatRule() FormatRule {
	if f := v.format; f != nil {
		return FormatRule{Pattern: f.Pattern, Not: f.Not, Counts: f.Counts, Refusal: "is not " + f.Is}
	}
	words := strings.Fields(v.formatName())
	return FormatRule{
		Pattern: PatternBegin + strings.Join(words, "|") + PatternEnd,
		Refusal: "is none of " + strings.Join(words, ", "),
	}
}

func (v Variable) rule(format string) VariableRule {
	r := VariableRule{Secret: v.Secret, Unless: v.unless(), Format: format, Lower: v.oneof != nil || v.isSwitch() || v.format != nil && v.format.Lower}
	if !v.Secret {
		r.Default = v.Default
	}
	switch v.field.Interface().(type) {
	case time.Duration:
		r.Duration = &DurationRule{Zero: v.tag.Get("min") != "", Max: int(v.longest().Seconds())}
	case int:
		low, _ := strconv.Atoi(v.tag.Get("min"))
		high, _ := strconv.Atoi(v.tag.Get("max"))
		r.Number = &NumberRule{low, high}
	case []string:
		r.List = true
	}
	return r
}

func (v Variable) isSwitch() bool { return v.field.Type() == reflect.TypeFor[Switch]() }
