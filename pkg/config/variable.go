package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Variable describes one environment variable: a leaf of [Config] and its tags.
type Variable struct {
	Name    string
	Section string // heading of its section in the reference
	Default string // in the syntax of the environment
	Values  string // the accepted values, for people
	Help    string
	Secret  bool // NAME_FILE is accepted too

	field  reflect.Value
	tag    reflect.StructTag
	target any      // the struct that holds the field
	prefix string   // of the names of the target's variables
	hidden bool     // a field of a named service that is not a variable, see Service.Named
	oneof  []string // the accepted words, or nil
	also   []string // synonyms of those, as other=word
	format *Format  // its syntax, or nil
}

// Variables returns every variable, in the order of the reference. A secret's
// NAME_FILE is not listed on its own.
func Variables(services []*Service) []Variable { return variables(Default(services)) }

// variables returns the variables of the fields of c, in the order of the fields.
func variables(c *Config) []Variable {
	return slices.DeleteFunc(allVariables(c), func(v Variable) bool { return v.hidden })
}

// allVariables also returns the hidden ones.
func allVariables(c *Config) []Variable {
	var all []Variable
	root := reflect.ValueOf(c).Elem()
	for i := range root.NumField() {
		field, tag := root.Field(i), root.Type().Field(i).Tag
		switch {
		case tag.Get("section") != "":
			all = c.appendVariables(all, field.Addr().Interface(), tag.Get("section"), prefixOf(tag))
		case root.Type().Field(i).Name == "Services":
			for _, s := range c.Services {
				all = c.appendService(all, s)
			}
		}
	}
	return all
}

func (c *Config) appendService(all []Variable, s *Service) []Variable {
	if s.Named {
		all = c.appendVariables(all, &s.Origin, s.Heading, s.Prefix())
	}
	first := len(all)
	if _, unknown := s.Settings.(noSettings); !unknown {
		all = c.appendVariables(all, s.Settings, s.Heading, s.Prefix())
	}
	for i := range all[first:] {
		all[first+i].hidden = s.Named && all[first+i].tag.Get("named") == "-"
	}
	return c.appendVariables(all, &s.Probe, s.Heading, s.Prefix())
}

func prefixOf(tag reflect.StructTag) string {
	return strings.TrimPrefix(tag.Get("env"), ",prefix=")
}

// appendVariables appends the variables of a section: the struct that target points to.
func (c *Config) appendVariables(all []Variable, target any, heading, prefix string) []Variable {
	section := reflect.ValueOf(target).Elem()
	for i := range section.NumField() {
		field, tag := section.Field(i), section.Type().Field(i).Tag
		if name := tag.Get("env"); name != "" {
			v := Variable{Name: prefix + name, Section: heading, Help: tag.Get("help"), field: field, tag: tag, target: target, prefix: prefix}
			all = append(all, c.complete(v))
		}
	}
	return all
}

func (c *Config) complete(v Variable) Variable {
	v.Secret = v.field.Type() == reflect.TypeFor[Secret]()
	if words := v.tag.Get("oneof"); words != "" {
		v.oneof, v.also = strings.Fields(words), strings.Fields(v.tag.Get("also"))
	}
	if name := v.tag.Get("format"); name != "" {
		f := c.format(name, v.prefix)
		v.format = &f
	}
	v.Default = v.text()
	v.Values = v.words()
	return v
}

// text returns the field's value in the syntax of the environment. It returns the value of
// a secret too, of which only the default may be shown.
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

// durationText returns 1m for 1m0s.
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

// unless returns the variables of the same section that replace this one. If one of them is
// set, this one is ignored.
func (v Variable) unless() []string {
	names := strings.Fields(v.tag.Get("unless"))
	for i := range names {
		names[i] = v.prefix + names[i]
	}
	return names
}

// words returns the accepted values, for people.
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
		if v.tag.Get("max") != "" {
			return "duration above 0s, " + durationText(v.longest()) + " at most"
		}
		return "duration above 0s"
	case Switch:
		return strings.ReplaceAll(switchWords, " ", ", ")
	case int:
		return v.tag.Get("min") + " to " + v.tag.Get("max")
	}
	switch {
	case v.oneof != nil:
		return strings.Join(v.oneof, ", ")
	case v.format != nil:
		return v.format.Words
	}
	return "text"
}

// bindSecret sets the name of a secret, and the redactor and the hinter of its Config.
func (v Variable) bindSecret(c *Config) {
	if s, ok := reflect.TypeAssert[*Secret](v.field.Addr()); ok {
		held := s.get()
		held.variable, held.redactor, held.hinter = v.Name, c.redactor, c.hinter
		held.trimmed = v.format != nil && v.format.Trimmed
		*s = newSecret(held)
	}
}

// maxDuration prevents that sums of durations overflow.
const maxDuration = 24 * time.Hour

// longest returns the maximum of a duration.
func (v Variable) longest() time.Duration {
	d, err := time.ParseDuration(v.tag.Get("max"))
	if err != nil { // there is no max tag
		return maxDuration
	}
	return d
}

// check returns the canonical form of the text, which is decoded and compared, or an error
// that says what is wrong with it.
func (v Variable) check(text string) (string, error) {
	if v.Secret {
		return text, v.checkSecret(text)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", Invalid("the value holds a line break or another control character")
	}
	switch v.field.Interface().(type) {
	case time.Duration:
		return v.checkDuration(text)
	case int:
		return v.checkInt(text)
	case []string:
		return v.checkList(text)
	default:
		return v.checkItem(text)
	}
}

// checkSecret does not quote the value in its error.
func (v Variable) checkSecret(text string) error {
	if strings.ContainsRune(text, 0) {
		return Invalid("the value holds a NUL character")
	}
	if v.format == nil {
		return nil
	}
	_, err := v.format.accept(text)
	return err
}

func (v Variable) checkDuration(text string) (string, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return "", Invalid("%s is not a duration: give a number and its unit, such as 500ms, 5s or 1m", Quote(text))
	case d < 0, d == 0 && v.tag.Get("min") == "":
		return "", Invalid("%s is not %s", Quote(text), strings.Replace(v.Values, "duration", "a duration", 1))
	case d > v.longest():
		return "", Invalid("%s is longer than %s", Quote(text), durationText(v.longest()))
	}
	return d.String(), nil
}

// checkInt accepts decimal numbers only: envconfig would read 010 as 8.
func (v Variable) checkInt(text string) (string, error) {
	low, _ := strconv.Atoi(v.tag.Get("min"))
	high, _ := strconv.Atoi(v.tag.Get("max"))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return "", Invalid("%s is not a whole number from %d to %d", Quote(text), low, high)
	}
	return itoa(n), nil
}

func (v Variable) checkList(text string) (string, error) {
	items := strings.Split(text, ",")
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		item = strings.TrimSpace(item)
		if item == "" {
			return "", Invalid("%s has an empty item: separate items by one comma", Quote(text))
		}
		item, err := v.checkItem(item)
		if err != nil {
			return "", err
		}
		if seen[item] {
			return "", Invalid("%s is listed twice", Quote(item))
		}
		seen[item] = true
		items[i] = item
	}
	return strings.Join(items, ","), nil
}

func (v Variable) checkItem(text string) (string, error) {
	switch {
	case v.oneof != nil:
		return OneOf(v.word(text), v.oneof)
	case v.format != nil:
		return v.format.accept(text)
	case v.field.Type() == reflect.TypeFor[Switch]():
		return text, new(Switch).EnvDecode(text)
	default:
		return text, nil
	}
}

// word returns the word that the text is a synonym of, or the text.
func (v Variable) word(text string) string {
	for _, pair := range v.also {
		if other, word, _ := strings.Cut(pair, "="); strings.EqualFold(text, other) {
			return word
		}
	}
	return text
}

// OneOf returns the word of words that equals the text, or an [Invalid] error. It ignores
// case, since LOG_LEVEL=INFO is common.
func OneOf(text string, words []string) (string, error) {
	lower := strings.ToLower(text)
	for _, word := range words {
		if lower == word {
			return word, nil
		}
	}
	return "", Invalid("%s is none of %s", Quote(text), strings.Join(words, ", "))
}

// Switch is on or off. The environment may use on, true, yes or 1, and off, false, no or 0,
// in upper or lower case.
type Switch bool

const switchWords = "on off true false yes no 1 0"

// Patterns that match the words of a switch.
const (
	PatternOn  = `^(?i:on|true|yes|1)$`
	PatternOff = `^(?i:off|false|no|0)$`
)

// EnvDecode sets the switch. An empty value does not change it, since envconfig calls this
// for every switch that is off, even if its variable is not set.
func (s *Switch) EnvDecode(text string) error {
	switch strings.ToLower(text) {
	case "":
	case "on", "true", "yes", "1":
		*s = true
	case "off", "false", "no", "0":
		*s = false
	default:
		return Invalid("%s is none of %s", Quote(text), strings.ReplaceAll(switchWords, " ", ", "))
	}
	return nil
}

// String returns on or off.
func (s Switch) String() string {
	if s {
		return "on"
	}
	return "off"
}
