package config

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Rules are what [Load] refuses, as data for programs in other languages. The Helm
// chart's templates refuse by them, before anything is installed, what would end the
// sidecar with exit code 2 afterwards.
type Rules struct {
	Formats        map[string]FormatRule   `json:"formats"`
	Variables      map[string]VariableRule `json:"variables"`
	Contradictions []Contradiction         `json:"contradictions"`
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

// Export returns the rules. Those that no data can say are not among them: that
// HEALTH_ADDR and METRICS_ADDR are not the same address, HEALTH_STATE_FILE and
// HEALTH_OVERRIDE_FILE not the same file.
func Export(services []*Service) Rules {
	c := Default(services)
	r := Rules{Formats: make(map[string]FormatRule), Variables: make(map[string]VariableRule)}
	for _, v := range variables(c) {
		name := v.formatName()
		if name != "" {
			r.Formats[name] = v.formatRule()
		}
		r.Variables[v.Name] = v.rule(name)
	}
	for _, rule := range c.rules() {
		if rule.Broken == nil && !rule.Warning {
			r.Contradictions = append(r.Contradictions, Contradiction{rule.Variables, rule.When, rule.NotBelow, rule.Text})
		}
	}
	return r
}

// formatName is empty for numbers, durations and texts of any kind.
func (v Variable) formatName() string {
	if v.oneof != nil {
		return strings.Join(v.oneof, " ")
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
	r := VariableRule{Secret: v.Secret, Format: format, Lower: v.oneof != nil || v.isSwitch() || v.format != nil && v.format.Lower}
	if !v.Secret {
		r.Default = v.Default
	}
	switch v.field.Interface().(type) {
	case time.Duration:
		r.Duration = &DurationRule{Zero: v.tag.Get("min") != "", Max: int(maxDuration.Seconds())}
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
