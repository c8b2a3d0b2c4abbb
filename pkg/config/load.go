package config

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"
)

// envFile is the Variable of a [Problem] of the .env file.
const envFile = "--env-file"

// Environ returns this process's environment, for [Options].
func Environ() []string { return os.Environ() }

// Options say what to read.
type Options struct {
	// Environ is the environment as NAME=value. If a name occurs twice, the first value
	// is used.
	Environ []string
	// EnvFile is the path of a .env file, or "" for none. The environment has precedence
	// over it.
	EnvFile string
	// Services are the built-in services, enabled or not, with their defaults. Load changes
	// them, so each call needs its own.
	Services []*Service
	// Named returns a service with a name that none of Services has, from the value of
	// NAME_CHECK, which may be empty. Its error is an [Invalid] one that says what is wrong
	// with the value. If the kind is known nevertheless, it returns a service too, so that
	// the other variables of the service are checked. Nil: only Services can be listed.
	Named func(name, check string) (*Service, error)
}

// Load reads, checks and completes the configuration. A variable that is empty
// counts as not set. The warnings are for the log. The error is an [*Error] that lists
// every problem; the Config is then nil.
//
// The files of secrets are not read: see [Secret.Read].
func Load(o Options) (c *Config, warnings []Problem, err error) {
	c = Default(o.Services)
	l := &loader{config: c, variables: variables(c), settings: make(map[string]setting)}
	c.sources = make(map[string]string)
	if o.EnvFile != "" {
		l.addFile(o.EnvFile)
	}
	l.addEnviron(o.Environ)
	if o.Named == nil {
		o.Named = func(name, _ string) (*Service, error) { return nil, Invalid("there is no service %s", Quote(name)) }
	}
	l.addNamed(o.Named)
	for _, v := range l.variables {
		if v.tag.Get("format") != "check" || !l.hasProblem(v.Name) { // addNamed has reported it
			l.load(v)
		}
	}
	l.checkNamed(o.Named)
	for _, s := range c.Services {
		if completer, ok := s.Settings.(Completer); ok {
			completer.Complete(func(name string) bool { return c.isSet(s.Prefix() + name) })
		}
	}
	l.checkRules()
	l.warnOfMisspelt()
	if len(l.problems) > 0 {
		return nil, l.finish(l.warnings), &Error{l.finish(l.problems)}
	}
	return c, l.finish(l.warnings), nil
}

// Redactor returns the redactor that knows the secrets of this Config.
func (c *Config) Redactor() *Redactor { return c.redactor }

// isSet reports whether the environment gave the variable a value.
func (c *Config) isSet(variable string) bool { return c.sources[variable] != "" }

type loader struct {
	report
	config    *Config
	variables []Variable
	settings  map[string]setting
}

type setting struct{ value, source string }

func (l *loader) addFile(name string) {
	for variable, value := range l.readDotenv(name) {
		l.add(variable, setting{value, "file " + name})
	}
}

func (l *loader) addEnviron(environ []string) {
	// From the end, so that the first value of a name is the last one added.
	for _, entry := range slices.Backward(environ) {
		if variable, value, ok := strings.Cut(entry, "="); ok {
			l.add(variable, setting{value, "environment"})
		}
	}
}

func (l *loader) add(variable string, s setting) {
	switch {
	case s.value == "":
	case isServiceLink(s.value) && l.isPort(variable):
		l.warn(variable, "ignored, because a service link of Kubernetes set it (tcp://…): set enableServiceLinks: false in the Pod, or the variable itself")
	default:
		l.settings[variable] = s
	}
}

func (l *loader) isPort(variable string) bool {
	return strings.HasSuffix(variable, "_PORT") && l.find(variable) != nil
}

func isServiceLink(value string) bool {
	protocol, _, ok := strings.Cut(value, "://")
	return ok && slices.Contains([]string{"tcp", "udp", "sctp"}, protocol)
}

func (l *loader) find(variable string) *Variable {
	for i := range l.variables {
		if l.variables[i].Name == variable {
			return &l.variables[i]
		}
	}
	return nil
}

// load checks and decodes one variable. Envconfig stops at the first error and names
// fields of Go, so each variable is decoded alone and the errors are collected.
func (l *loader) load(v Variable) {
	if v.Secret {
		l.loadSecret(v)
		return
	}
	s := l.settings[v.Name]
	text := strings.TrimSpace(s.value)
	if text == "" {
		return
	}
	if i := slices.IndexFunc(v.unless(), l.config.isSet); i >= 0 {
		l.warn(v.Name, "ignored, because "+v.unless()[i]+" is set: leave that out to use it")
		return
	}
	l.decode(v, text, s.source)
}

func (l *loader) decode(v Variable, text, source string) {
	text, err := v.check(text)
	if err == nil {
		err = envconfig.ProcessWith(context.Background(), &envconfig.Config{
			Target:           v.target,
			Lookuper:         envconfig.MapLookuper(map[string]string{strings.TrimPrefix(v.Name, v.prefix): text}),
			DefaultOverwrite: true,
		})
	}
	var known *valueError
	switch {
	case errors.As(err, &known):
		l.problem(v.Name, known.text)
	case err != nil:
		l.problem(v.Name, "the value cannot be decoded: it must be "+v.Values)
	default:
		l.config.sources[v.Name] = source
		l.addSecrets(v, text)
	}
}

// addSecrets adds the secrets in a text, such as the password of a URL, to the redactor.
func (l *loader) addSecrets(v Variable, text string) {
	if v.format == nil || v.format.Secrets == nil {
		return
	}
	for _, secret := range v.format.Secrets(text) {
		l.config.redactor.Add(secret)
	}
}

// loadSecret does not trim the value, since white space may be part of a password.
func (l *loader) loadSecret(v Variable) {
	value, given := l.settings[v.Name]
	file, fileGiven := l.settings[v.Name+"_FILE"]
	l.config.redactor.Add(value.value)
	switch {
	case given && fileGiven:
		l.problem(v.Name, "set together with "+v.Name+"_FILE: remove one of them")
	case given:
		l.warnOfSecret(v, value.value)
		l.decode(v, value.value, value.source)
	case fileGiven:
		l.useFile(v, strings.TrimSpace(file.value))
	}
	v.bindSecret(l.config)
}

func (l *loader) useFile(v Variable, path string) {
	path, err := checkPath(path)
	if err != nil {
		l.problem(v.Name+"_FILE", err.Error())
		return
	}
	*v.field.Addr().Interface().(*Secret) = newSecret(secret{file: path})
	l.config.sources[v.Name] = v.Name + "_FILE " + path
}

func (l *loader) warnOfSecret(v Variable, value string) {
	if hint := secretHint(value, v.format != nil && v.format.Trimmed); hint != "" {
		l.warn(v.Name, hint)
	}
	if len(value) < minSecret {
		l.warn(v.Name, "shorter than 4 bytes: too short to be kept out of log lines")
	}
}

// finish sorts problems in the order of the reference, those of the .env file first, and
// redacts secrets that were given as the value of another variable.
func (l *loader) finish(problems []Problem) []Problem {
	for i := range problems {
		problems[i].Text = l.config.redactor.Redact(problems[i].Text)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(l.order(a), l.order(b)) })
	return problems
}

func (l *loader) order(p Problem) int {
	name := strings.TrimSuffix(p.Variable, "_FILE")
	for i, v := range l.variables {
		if v.Name == p.Variable || v.Secret && v.Name == name {
			return i
		}
	}
	if p.Variable == envFile {
		return -1
	}
	return len(l.variables)
}
