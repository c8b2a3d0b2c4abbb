package dependency

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
)

// Scheme is a scheme of the URL in NAME_CHECK. It determines the kind of the service.
type Scheme struct {
	// Name is the scheme, such as https.
	Name string
	// Form is the URL as references show it, such as https://HOST[:PORT][/PATH].
	Form string
	// Help says in one sentence what is checked.
	Help string
	// Secret is the variable, without the service's prefix, to use instead of a password in
	// the URL. The default is PASSWORD.
	Secret string
	// Settings returns the settings for a URL, with defaults for what the URL does not have.
	// Given are the variables, without the service's prefix, whose values the URL has;
	// setting one of them is an error. The error is a [config.Invalid] one that follows the
	// name of the variable. It may use {NAME} for another variable of the service, as
	// [Prefix] does, and must not quote the URL's query.
	Settings func(u URL) (settings Settings, given []string, err error)
}

// URL has the parts of NAME_CHECK. It never holds a password.
type URL struct {
	Scheme string
	// User is the user name; empty where there is none.
	User string
	// Hosts has one host, or several between commas, which few schemes allow: see
	// [URL.Host].
	Hosts []Host
	// Path begins with a slash or is empty. It is not unescaped.
	Path string
	// Query is what follows the question mark, not unescaped; empty where there is none.
	Query string
}

// Host is a host name or an IP address (without brackets), and a port: 0 where the URL
// has none.
type Host struct {
	Name string
	Port int
}

// ParseURL parses the value of NAME_CHECK. Its errors are [config.Invalid] ones, which quote
// neither a login nor a query. A password in the URL is an error that names the file
// variable of secret, such as PASSWORD, to use instead.
func ParseURL(text, secret string) (URL, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return URL{}, config.Invalid("the value is not a URL: give SCHEME://HOST:PORT")
	}
	u := URL{Scheme: strings.ToLower(scheme)}
	whole := rest
	rest, _, fragment := strings.Cut(rest, "#")
	if fragment {
		return URL{}, config.Invalid("the URL has a fragment (#): leave it out, or write the # as %%23")
	}
	rest, u.Query, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		rest, u.Path = rest[:i], rest[i:]
	}
	if _, err := url.ParseRequestURI("/" + u.Path + "?" + u.Query); err != nil {
		return URL{}, config.Invalid("the URL's path or query has a character that must be escaped")
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, _, password := strings.Cut(rest[:i], ":")
		if password {
			return URL{}, errPassword(secret)
		}
		name, err := url.PathUnescape(user)
		if err != nil {
			return URL{}, config.Invalid("the user name in the URL is not well escaped")
		}
		rest, u.User = rest[i+1:], name
	}
	for item := range strings.SplitSeq(rest, ",") {
		host, err := ParseHost(item)
		if err != nil && strings.Contains(item, ":") && strings.Contains(whole, "@") {
			err = errPassword(secret) // with a slash or a question mark in it: nothing is quoted
		}
		if err != nil {
			return URL{}, err
		}
		u.Hosts = append(u.Hosts, host)
	}
	return u, nil
}

func errPassword(secret string) error {
	return config.Invalid("the URL has a password, and the URL is shown to readers: leave it out, and put it into a file that {%s_FILE} names", secret)
}

// ParseHost parses HOST[:PORT]. Its error is a [config.Invalid] one.
func ParseHost(text string) (Host, error) {
	name, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		name, port = text[:i], text[i+1:]
		if !config.IsPort(port, 1) {
			return Host{}, config.Invalid("%s is not a host with a port from 1 to 65535", config.Quote(text))
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		name = strings.Replace(strings.TrimSuffix(inner, "]"), "%25", "%", 1) // of a zone
		if !strings.HasSuffix(text[:len(inner)+1], "]") || !strings.Contains(name, ":") {
			name = ""
		}
	} else if strings.Contains(name, ":") {
		name = "" // an IPv6 address needs brackets
	}
	if !config.IsHost(name) {
		return Host{}, config.Invalid("%s is not a host name or an IP address, with an IPv6 address in brackets", config.Quote(text))
	}
	n, _ := strconv.Atoi(port) // 0 where there is none
	return Host{name, n}, nil
}

// Host returns the only host, with this default port if the URL has none; 0 means no default.
// Several hosts, or no port, are errors.
func (u URL) Host(port int) (Host, error) {
	if len(u.Hosts) != 1 {
		return Host{}, config.Invalid("the URL has %d hosts: %s takes one", len(u.Hosts), u.Scheme)
	}
	host := u.Hosts[0]
	if host.Port == 0 {
		host.Port = port
	}
	if host.Port == 0 {
		return Host{}, config.Invalid("the URL has no port: give %s://%s:PORT", u.Scheme, config.JoinHostPort(host.Name, ""))
	}
	return host, nil
}

// Plain returns an error if the URL has a user, a path or a query.
func (u URL) Plain() error {
	switch {
	case u.User != "":
		return config.Invalid("the URL has a user: %s takes none", u.Scheme)
	case u.Path != "" && u.Path != "/":
		return config.Invalid("the URL has a path: %s takes none", u.Scheme)
	case u.Query != "":
		return config.Invalid("the URL has a query: %s takes none", u.Scheme)
	}
	return nil
}

// String returns host:port, or the host where it has no port.
func (h Host) String() string {
	if h.Port == 0 {
		return config.JoinHostPort(h.Name, "")
	}
	return config.JoinHostPort(h.Name, strconv.Itoa(h.Port))
}

// NeedsTLS returns the rule that a variable of a named service has no effect with the scheme
// plain; it needs the scheme secure. The rule is data, so the chart has it too.
func NeedsTLS(prefix, name, plain, secure string) config.Rule {
	return config.Rule{
		Variables: []string{prefix + name, prefix + "CHECK"},
		When:      config.Patterns{prefix + name: ".", prefix + "CHECK": "^(?i:" + plain + ")://"},
		Text:      "has no effect: the scheme of " + prefix + "CHECK is not " + secure,
	}
}

// Schemes returns the schemes of all kinds.
func (ks Kinds) Schemes() []Scheme {
	var all []Scheme
	for _, k := range ks {
		all = append(all, k.Schemes...)
	}
	return all
}

// ofScheme returns the kind and the scheme of a value of NAME_CHECK. The name of the scheme is
// empty if there is none.
func (ks Kinds) ofScheme(check string) (Kind, Scheme) {
	name, _, _ := strings.Cut(check, "://")
	for _, k := range ks {
		for _, scheme := range k.Schemes {
			if scheme.Name == strings.ToLower(name) {
				return k, scheme
			}
		}
	}
	return Kind{}, Scheme{}
}

// Named returns the service with that name for the value of NAME_CHECK, for
// [config.Options]. Its error is a [config.Invalid] one. If the value has a known scheme, it
// returns a service of that kind with the error.
func (ks Kinds) Named(name, check string) (*config.Service, error) {
	service, err := ks.named(name, check)
	if _, scheme := ks.ofScheme(check); err != nil && scheme.Name != "" {
		service, _ = ks.Example(scheme.Name, name) // nil if there is none
	}
	return service, err
}

func (ks Kinds) named(name, check string) (*config.Service, error) {
	var schemes []string
	for _, scheme := range ks.Schemes() {
		schemes = append(schemes, scheme.Name)
	}
	if check == "" {
		return nil, config.Invalid("missing, and HEALTH_SERVICES lists %s: give a URL such as https://HOST/PATH, with one of the schemes %s", config.Quote(name), strings.Join(schemes, ", "))
	}
	service := &config.Service{Name: name, Heading: name, Named: true, Origin: config.Origin{Check: check}, Probe: NamedProbe()}
	kind, scheme := ks.ofScheme(check)
	u, err := ParseURL(check, cmp.Or(scheme.Secret, "PASSWORD"))
	if err == nil && scheme.Name == "" {
		return nil, config.Invalid("there is no scheme %s: give one of %s", config.Quote(u.Scheme), strings.Join(schemes, ", "))
	}
	if err == nil {
		service.Kind = kind.Name
		service.Settings, service.Given, err = scheme.Settings(u)
	}
	if err != nil {
		return nil, config.Invalid("%s", Prefix(service.Prefix()).Expand(err.Error()))
	}
	return service, nil
}

// Examples returns one service of that name per scheme, with the shortest valid URL, to
// describe the variables and rules of the scheme.
func (ks Kinds) Examples(name string) ([]*config.Service, error) {
	var all []*config.Service
	for _, scheme := range ks.Schemes() {
		s, err := ks.Example(scheme.Name, name)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Example returns the service of [Kinds.Examples] with this scheme.
func (ks Kinds) Example(scheme, name string) (*config.Service, error) {
	var err error
	for _, url := range []string{scheme + "://host:1", scheme + "://host:1/name"} {
		var s *config.Service
		if s, err = ks.named(name, url); err == nil {
			s.URL = ks.urlForm(scheme)
			return s, nil
		}
	}
	return nil, fmt.Errorf("scheme %s: %w", scheme, err)
}

// urlForm finds out, with trial URLs, which parts a scheme allows and requires: a user, a
// port, several hosts, a path and a query.
func (ks Kinds) urlForm(name string) config.URLForm {
	takes := func(rest string) bool { _, err := ks.named("example", name+"://"+rest); return err == nil }
	host, path, query, needed := config.PatternURLAny, "/?", `\??`, ""
	switch {
	case !takes("host:1"):
		path, needed = "/[^/?]+", "/name"
	case takes("host:1/a/b"):
		path = `(?:/[^?]*)?`
	case takes("host:1/name"):
		path = `(?:/[^/?]*)?`
	case takes("host:1/0"):
		path = "(?:/[0-9]*)?"
	}
	if takes("host" + needed) {
		host += "(?::[0-9]+)?"
	} else {
		host += ":[0-9]+"
	}
	if takes("a:1,b:1" + needed) {
		host += "(?:," + host + ")*"
	}
	if takes("user@host:1" + needed) {
		host = "(?:[^/?]*@)?" + host
	}
	if takes("host:1"+needed+"?a=b") || takes("host:1"+needed+"?sslmode=require") {
		query = `(?:\?.*)?`
	}
	_, scheme := ks.ofScheme(name + "://")
	return config.URLForm{Form: scheme.Form, Pattern: "^(?i:" + regexp.QuoteMeta(name) + ")://" + host + path + query + "$"}
}

// Words returns a function that replaces {NAME} in a text by the names of the service's
// variables. For a named service, NAME_CHECK replaces variables that the service does not
// have.
func Words(s *config.Service) func(text string) string {
	instead := insteadOfHidden(s)
	return func(text string) string { return instead(Prefix(s.Prefix()).Expand(text)) }
}

// Advise returns the checker of a service with messages in which NAME_CHECK replaces variables
// that a named service does not have.
func Advise(c Checker, s *config.Service) Checker {
	if len(s.Hidden()) == 0 {
		return c
	}
	return &advised{Checker: c, words: insteadOfHidden(s)}
}

// insteadOfHidden returns a function that replaces hidden variables in a text by NAME_CHECK.
func insteadOfHidden(s *config.Service) func(text string) string {
	check := s.Prefix() + "CHECK"
	var pairs []string
	for _, hidden := range s.Hidden() {
		pairs = append(pairs, hidden, check)
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		return strings.ReplaceAll(replacer.Replace(text), check+" and "+check, check)
	}
}

type advised struct {
	Checker
	words func(text string) string
}

// Check implements [health.Checker].
func (a *advised) Check(ctx context.Context) (health.Observation, error) {
	seen, err := a.Checker.Check(ctx)
	return rewrite(seen, err, a.words)
}

// Redial implements [health.Redialer].
func (a *advised) Redial() {
	if r, ok := a.Checker.(health.Redialer); ok {
		r.Redial()
	}
}
