package config

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rules describe, as data, what [Load] rejects. The templates of the Helm chart reject the
// same before the installation; otherwise the sidecar would exit with code 2.
type Rules struct {
	Formats        map[string]FormatRule   `json:"formats"`
	Variables      map[string]VariableRule `json:"variables"`
	Contradictions []Contradiction         `json:"contradictions"`
	// MaxServices is how many services HEALTH_SERVICES may list.
	MaxServices int `json:"maxServices"`
	// Schemes are the rules by the scheme of the URL in NAME_CHECK.
	Schemes map[string]SchemeRules `json:"schemes"`
}

// SchemeRules are the rules for a service that NAME_CHECK defines by a URL of one scheme.
// Names of variables are without the prefix; in texts, {NAME}_ stands for it.
type SchemeRules struct {
	Variables      map[string]VariableRule `json:"variables"`
	Contradictions []Contradiction         `json:"contradictions,omitempty"`
	// Given are variables whose value the scheme implies, such as TLS. Setting one is an
	// error.
	Given []string `json:"given,omitempty"`
	// URL is the form of the value of NAME_CHECK.
	URL URLForm `json:"url"`
}

// FormatRule is the syntax of a text. Patterns are regular expressions of Go.
type FormatRule struct {
	Pattern string `json:"pattern"`          // accepted texts match it
	Not     string `json:"not,omitempty"`    // accepted texts do not match it
	Counts  string `json:"counts,omitempty"` // if it matches, only its groups are compared
	Refusal string `json:"refusal"`          // the message for a rejected text, after the quoted text
}

// VariableRule is the rule for the value of one variable, or for each item of its list. An
// empty value counts as not set.
type VariableRule struct {
	Default string `json:"default,omitempty"`
	Secret  bool   `json:"secret,omitempty"` // NAME_FILE is the path of a file; white space is not trimmed
	List    bool   `json:"list,omitempty"`   // items separated by commas, without duplicates
	Lower   bool   `json:"lower,omitempty"`  // upper case is converted to lower case

	// Unless are variables. If one of them is set, this variable is ignored.
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

// Contradiction is a combination of values that is rejected. It is not checked if the value
// of one of its variables is rejected already.
type Contradiction struct {
	Variables []string          `json:"variables"`          // the first is the one to report
	When      map[string]string `json:"when,omitempty"`     // patterns that all match the values or defaults
	NotBelow  string            `json:"notBelow,omitempty"` // the first variable's duration is equal to this one's or above
	Refusal   string            `json:"refusal"`
}

// Export returns the rules for these services. Named has one example of a named service per
// scheme. Rules that patterns cannot express are left out: that HEALTH_ADDR and METRICS_ADDR
// differ, that HEALTH_STATE_FILE and HEALTH_OVERRIDE_FILE differ, and rules for the parts of
// a URL.
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

// known returns the rest of a rule after the hidden variables, whose values are known, were
// removed. It reports false if the rule cannot be broken, or is not for such a service.
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

// without returns the contradiction with the prefix removed from the names of variables.
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

// formatName returns the key of [Rules].Formats. It is empty for numbers, durations and texts
// without a format.
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
