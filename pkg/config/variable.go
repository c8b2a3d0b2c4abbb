package config

import (
	"reflect"
	"strings"
	"time"
)

// Variable describes one environment variable: a leaf of [Config] and its tags.
type Variable struct {
	Name    string
	Section string // heading of the reference under which it stands
	Default string // as one would write it
	Values  string // what it accepts, in words
	Help    string
	Secret  bool // NAME_FILE works too

	field reflect.Value
	tag   reflect.StructTag
}

// Variables returns every variable, in the order of the reference. A secret's
// NAME_FILE is not listed on its own.
func Variables() []Variable { return variables(Default()) }

// variables are bound to the fields of c.
func variables(c *Config) []Variable {
	var all []Variable
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		if tag := root.Type().Field(i).Tag; tag.Get("section") != "" {
			all = appendVariables(all, root.Field(i), tag.Get("section"), prefixOf(tag))
		}
	}
	return all
}

func prefixOf(tag reflect.StructTag) string {
	return strings.TrimPrefix(tag.Get("env"), ",prefix=")
}

func appendVariables(all []Variable, section reflect.Value, heading, prefix string) []Variable {
	for i := range section.NumField() {
		field, tag := section.Field(i), section.Type().Field(i).Tag
		switch name := tag.Get("env"); {
		case name != "":
			all = append(all, newVariable(prefix+name, heading, field, tag))
		case field.Type() == reflect.TypeFor[Probe]():
			all = appendVariables(all, field, heading, prefix)
		}
	}
	return all
}

func newVariable(name, section string, field reflect.Value, tag reflect.StructTag) Variable {
	v := Variable{Name: name, Section: section, Help: tag.Get("help"), field: field, tag: tag}
	v.Secret = field.Type() == reflect.TypeFor[Secret]()
	v.Default = v.text()
	v.Values = v.words()
	return v
}

// text returns the field's value as one would write it in the environment. A
// secret's is returned as it is: only its default may be shown.
func (v Variable) text() string {
	switch value := v.field.Interface().(type) {
	case Secret:
		return value.get().value
	case []string:
		return strings.Join(value, ",")
	case time.Duration:
		return durationText(value)
	case Switch:
		return value.String()
	case int:
		return itoa(value)
	default:
		return v.field.String()
	}
}

// durationText writes 1m0s as 1m.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// words says what the variable accepts.
func (v Variable) words() string {
	words := v.itemWords()
	if v.field.Type() == reflect.TypeFor[[]string]() {
		return "list of: " + words
	}
	return words
}

func (v Variable) itemWords() string {
	switch v.field.Interface().(type) {
	case time.Duration:
		if v.tag.Get("min") != "" {
			return "duration, 0s or above"
		}
		return "duration above 0s"
	case Switch:
		return "on, off, true, false"
	case int:
		return v.tag.Get("min") + " to " + v.tag.Get("max")
	}
	if words := v.tag.Get("oneof"); words != "" {
		return strings.ReplaceAll(words, " ", ", ")
	}
	if format := v.tag.Get("format"); format != "" {
		return formatOf(format).words
	}
	return "text"
}

// bindSecret ties a secret to its name, and to the redactor and the hinter of its Config.
func (v Variable) bindSecret(c *Config) {
	if s, ok := reflect.TypeAssert[*Secret](v.field.Addr()); ok {
		held := s.get()
		held.variable, held.redactor, held.hinter = v.Name, c.redactor, c.hinter
		held.trimmed = v.tag.Get("format") == "postgres"
		*s = newSecret(held)
	}
}
