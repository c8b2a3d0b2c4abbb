package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Setting is the effective value of one variable.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`  // of a secret: [set], [empty] or [unreadable]
	Source string `json:"source"` // default, environment, file PATH, NAME_FILE PATH, or another variable
}

// Settings returns every variable in the order of the reference. It reads the files of
// secrets, to report whether they can be read.
func (c *Config) Settings() []Setting {
	all := make([]Setting, 0, len(c.sources))
	for _, v := range variables(c) {
		source := c.sources[v.Name]
		if source == "" {
			source = c.sourceOf(v)
		}
		all = append(all, Setting{v.Name, v.shown(), source})
	}
	return all
}

// sourceOf returns the source of the value of a variable that is not set.
func (c *Config) sourceOf(v Variable) string {
	for _, s := range c.Services {
		if s.Prefix() == v.prefix {
			return s.source(strings.TrimPrefix(v.Name, v.prefix))
		}
	}
	return "default"
}

// shown returns the value for people, without secrets.
func (v Variable) shown() string {
	if !v.Secret {
		return v.public()
	}
	switch text, err := v.field.Interface().(Secret).Read(); {
	case err != nil:
		return "[unreadable]"
	case text == "":
		return "[empty]"
	default:
		return "[set]"
	}
}

// public returns the value of a variable that is not a [Secret]. The user and the password
// of a URL, and other secrets in it, are redacted.
func (v Variable) public() string {
	text := v.text()
	if v.format != nil && v.format.Public != nil {
		text = v.format.Public(text)
	}
	return RedactURLs(text)
}

// Print writes the effective configuration for people: one line per variable with the
// source of its value, and then the values that are derived from several variables.
func (c *Config) Print(w io.Writer) error {
	settings := c.Settings()
	lines, width := make([]string, len(settings)), 0
	for i, s := range settings {
		lines[i] = s.Name + "=" + shellQuote(s.Value)
		width = max(width, min(len(lines[i]), 60))
	}
	var b strings.Builder
	for i, s := range settings {
		fmt.Fprintf(&b, "%-*s  # %s\n", width, lines[i], s.Source)
	}
	for _, d := range c.derived() {
		fmt.Fprintf(&b, "# in effect: %s %s\n", d[0], d[1])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintJSON writes the same as a JSON object: settings is an array of [Setting], and
// effective an object with the derived values.
func (c *Config) PrintJSON(w io.Writer) error {
	effective := make(map[string]string)
	for _, d := range c.derived() {
		effective[d[0]] = d[1]
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{"settings": c.Settings(), "effective": effective})
}

// derived returns names and values that no single variable shows.
func (c *Config) derived() [][2]string {
	var all [][2]string
	for _, s := range c.Services {
		all = append(all, s.effective(c.Health.Environment)...)
	}
	return all
}

// effective returns values that are derived from the service's variables. Their names are
// in lower case and begin with the service's prefix.
func (s *Service) effective(environment string) [][2]string {
	pairs := s.Settings.Effective(environment)
	for i := range pairs {
		pairs[i][0] = strings.ToLower(s.Prefix()) + pairs[i][0]
		pairs[i][1] = RedactURLs(pairs[i][1])
	}
	return pairs
}

// shellQuote quotes a value that a shell would split or expand.
func shellQuote(value string) string {
	if strings.ContainsAny(value, " \t#'\"\\$&;|<>()*?`") {
		return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	return value
}
