package config

import (
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Origin is the URL that defines a named service.
type Origin struct {
	Check string `env:"CHECK" format:"check" help:"URL of the service; its scheme sets the kind of check."`
}

// Endpoint returns the URL without login and query, for readers who may see names. It is
// empty if there is no URL.
func (o Origin) Endpoint() string {
	scheme, rest, ok := strings.Cut(o.Check, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if slash {
		host += "/" + path
	}
	return scheme + "://" + host
}

// Hidden returns the names of variables that do not exist for a named service, because the
// URL in NAME_CHECK has their values. It is empty for other services.
func (s *Service) Hidden() []string {
	if !s.Named {
		return nil
	}
	var hidden []string
	for field := range reflect.TypeOf(s.Settings).Elem().Fields() {
		if field.Tag.Get("named") == "-" {
			hidden = append(hidden, s.Prefix()+field.Tag.Get("env"))
		}
	}
	return hidden
}

// maxServices bounds the number of metric series and the size of responses.
const maxServices = 16

// serviceName allows no underscore, so that each prefix of variables belongs to one name.
var serviceName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$`)

// reservedNames would conflict with paths, variables, keys of responses or targets of wait.
var reservedNames = []string{
	"live", "ready", "history", "peer", "metrics", "override", "shutdown", "schema", "health", "log", "pod", "migrate",
}

func checkServiceName(text string) (string, error) {
	name := strings.ToLower(text)
	switch {
	case !serviceName.MatchString(name):
		return "", isNot(text, "service")
	case slices.Contains(reservedNames, name):
		return "", Invalid("%s is taken by something else of the sidecar: choose another name", Quote(text))
	}
	return name, nil
}

// addNamed adds the services of HEALTH_SERVICES that are not built in. Problems of the list
// itself are reported when it is loaded.
func (l *loader) addNamed(named func(name, check string) (*Service, error)) {
	c := l.config
	for item := range strings.SplitSeq(l.settings["HEALTH_SERVICES"].value, ",") {
		name, err := checkServiceName(strings.TrimSpace(item))
		if err != nil || slices.Contains(c.serviceNames(), name) {
			continue
		}
		// Without a scheme the kind is unknown. The variables that every service has are
		// checked nevertheless.
		service := &Service{Name: name, Heading: name, Named: true, Settings: noSettings{}, Probe: DefaultProbe(maxDuration, maxDuration, "ignore")}
		variable := service.Prefix() + "CHECK"
		check := strings.TrimSpace(l.settings[variable].value)
		meant := closest(service.Prefix(), l.prefixes())
		made, err := named(name, check)
		if made != nil {
			service = made
		}
		switch {
		case err == nil:
		case check == "" && meant != "":
			l.problem("HEALTH_SERVICES", "there is no service "+Quote(name)+": did you mean "+strings.ToLower(strings.TrimSuffix(meant, "_"))+"? Another one needs "+variable)
		default:
			l.problem(variable, err.Error())
		}
		c.Services = append(c.Services, service)
	}
	l.variables = variables(c)
	for _, v := range l.variables {
		v.bindSecret(c)
	}
}

// prefixes returns the prefixes of the services whose kind is known. Only these are
// suggested for a name without NAME_CHECK.
func (l *loader) prefixes() []string {
	var prefixes []string
	for _, s := range l.config.Services {
		if _, unknown := s.Settings.(noSettings); !unknown {
			prefixes = append(prefixes, s.Prefix())
		}
	}
	return prefixes
}

// noSettings are the settings of a service whose kind is unknown.
type noSettings struct{}

// Formats implements [Settings].
func (noSettings) Formats(string) map[string]Format { return nil }

// Rules implements [Settings].
func (noSettings) Rules(string) []Rule { return nil }

// Effective implements [Settings].
func (noSettings) Effective(string) [][2]string { return nil }

// checkNamed reports problems of named services, after all variables have been read.
func (l *loader) checkNamed(named func(name, check string) (*Service, error)) {
	for _, s := range l.config.Services {
		for _, given := range s.Given {
			if l.config.isSet(s.Prefix() + given) {
				l.problem(s.Prefix()+given, "the URL in "+s.Prefix()+"CHECK says it already: leave one of them out")
			}
		}
	}
	l.findCoinciding()
	for _, variable := range slices.Sorted(maps.Keys(l.settings)) {
		prefix, ok := strings.CutSuffix(variable, "_CHECK")
		if !ok || l.find(variable) != nil {
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(prefix, "_", "-"))
		if _, err := named(name, strings.TrimSpace(l.settings[variable].value)); err != nil {
			continue // a variable of another program
		}
		if slices.Contains(l.config.serviceNames(), name) {
			l.warn(variable, "has no effect: "+name+" has variables of its own")
		} else if _, err := checkServiceName(name); err == nil {
			l.warn(variable, "has no effect: HEALTH_SERVICES does not list "+name)
		}
	}
}

// findCoinciding reports variables of two services, or of a service and the sidecar, that
// have the same name, and services that have the same name in the reasons of Events.
func (l *loader) findCoinciding() {
	owners, reported := make(map[string]string), make(map[string]bool)
	claim := func(variable, owner string) {
		first, taken := owners[variable]
		if !taken {
			owners[variable] = owner
		} else if pair := first + " " + owner; first != owner && !reported[pair] {
			reported[pair] = true
			l.problem("HEALTH_SERVICES", variable+" would be a variable of "+Quote(first)+" and of "+Quote(owner)+": choose another name for the service")
		}
	}
	for _, v := range l.variables {
		claim(v.Name, v.Section)
		if v.Secret {
			claim(v.Name+"_FILE", v.Section)
		}
	}
	camels := make(map[string]string)
	for _, name := range l.config.Health.Services {
		camel := camelCase(name)
		if first, taken := camels[camel]; taken && first != name {
			l.problem("HEALTH_SERVICES", Quote(first)+" and "+Quote(name)+" are both "+camel+" in the reasons of Events: choose another name for one of them")
		}
		camels[camel] = name
	}
}

// camelCase writes billing-api as BillingApi.
func camelCase(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// checkURLFormat is the syntax of NAME_CHECK, as far as it is the same for all schemes.
func checkURLFormat() Format {
	return Format{
		Words: "URL", Is: "a URL such as https://HOST/PATH", Pattern: `^[A-Za-z][A-Za-z0-9+]*://.`,
		Check:  func(text string) (string, error) { return text, nil }, // addNamed has checked it
		Public: publicCheck, Secrets: checkSecrets,
	}
}

// publicCheck leaves out the query, which may hold a token.
func publicCheck(text string) string {
	if head, _, ok := strings.Cut(text, "?"); ok {
		return head + "?" + Mask
	}
	return text
}

// checkSecrets returns the whole query, and each of its values that is long enough to be a
// token.
func checkSecrets(text string) []string {
	_, query, ok := strings.Cut(text, "?")
	if !ok {
		return nil
	}
	secrets := []string{query}
	values, _ := url.ParseQuery(query)
	for _, all := range values {
		for _, value := range all {
			if len(value) >= shortestToken {
				secrets = append(secrets, value)
			}
		}
	}
	return secrets
}

// shortestToken is the least length of a value that counts as a token, so that words such
// as verify-full do not.
const shortestToken = 12
