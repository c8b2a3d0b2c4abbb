package redis

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// urlFormat is the syntax of REDIS_URL. Forms of other clients are ignored, see urlRules.
func urlFormat() config.Format {
	return config.Format{
		Words:   "redis[s]://[[user]:password@]host[:port][/db]",
		Is:      "such a URL: see docs/configuration.md",
		Pattern: `(?s)^.*$`,
		Check:   func(text string) (string, error) { return text, nil },
		Trimmed: true,
		Secrets: secretsOf,
	}
}

// secretsOf returns the password of a URL, that of one that is ignored as well.
func secretsOf(text string) []string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password}
}

// parseURL quotes nothing of the URL, since it carries a password.
func parseURL(text string) (u *url.URL, db int, err error) {
	u, err = url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, 0, config.Invalid("the value is not a URL: escape what is special in a password, such as %%40 for @")
	case u.Scheme != "redis" && u.Scheme != "rediss", u.Opaque != "":
		return nil, 0, config.Invalid("the value does not begin with redis:// or rediss://")
	case u.Hostname() == "":
		return nil, 0, config.Invalid("the URL has no host: give it one, or leave the URL out and set the address by the other variables")
	case !config.IsHost(u.Hostname()), u.Port() != "" && !config.IsPort(u.Port(), 1):
		return nil, 0, config.Invalid("the URL has not one host, with a port from 1 to 65535")
	case u.Fragment != "":
		return nil, 0, config.Invalid("the URL has a fragment (#): escape a # in the password as %%23")
	}
	if number := strings.TrimPrefix(u.Path, "/"); number != "" {
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return nil, 0, config.Invalid("the URL's path is not the number of a database")
		}
		db = int(n)
	}
	return u, db, nil
}

var (
	_ config.Completer = (*Settings)(nil)
	_ config.Deriver   = (*Settings)(nil)
)

// Complete implements [config.Completer].
func (s *Settings) Complete(given func(name string) bool) {
	s.isSet = given
	if !s.URL.Given() {
		return
	}
	s.urlIgnored = given("HOST") || given("PORT") || given("USERNAME") || given("DB") || given("SENTINELS")
	if s.urlIgnored || s.URL.File() != "" {
		return
	}
	text, _ := s.URL.Read() // not from a file, so there is no error
	u, db, err := parseURL(text)
	if err != nil {
		s.urlIgnored, s.urlProblem = true, err.Error()
		return
	}
	s.use(u, db)
	s.urlQuery = u.RawQuery != ""
}

// use takes what the URL says, but for what has a variable of its own.
func (s *Settings) use(u *url.URL, db int) {
	s.Host, s.Port, s.Username, s.DB = u.Hostname(), defaultPort, u.User.Username(), db
	if port, err := strconv.Atoi(u.Port()); err == nil {
		s.Port = port
	}
	s.derived = map[string]string{"HOST": "URL", "PORT": "URL", "USERNAME": "URL", "DB": "URL"}
	if password, ok := u.User.Password(); ok && !s.isSet("PASSWORD") {
		s.Password, s.derived["PASSWORD"] = s.URL.Holding(password), "URL"
	}
	if !s.isSet("TLS") {
		s.TLS, s.derived["TLS"] = u.Scheme == "rediss", "URL"
	}
}

// Derived implements [config.Deriver].
func (s *Settings) Derived() map[string]string { return s.derived }

// urlRules are the warnings about a URL that is ignored, in whole or in part.
func (s *Settings) urlRules(prefix string) []config.Rule {
	return []config.Rule{
		{
			Variables: []string{prefix + "URL", prefix + "HOST"},
			Broken:    func() bool { return s.urlIgnored && s.urlProblem == "" },
			Text:      "ignored, because the address is set by " + prefix + "HOST, _PORT, _USERNAME, _DB or _SENTINELS: leave these out to use it",
			Warning:   true,
		},
		{
			Variables: []string{prefix + "URL"},
			Broken:    func() bool { return s.urlProblem != "" },
			Text:      "ignored, because it is not such a URL as the sidecar takes (" + s.urlProblem + "): set " + prefix + "HOST and the others",
			Warning:   true,
		},
		{
			Variables: []string{prefix + "URL"},
			Broken:    func() bool { return s.urlQuery },
			Text:      "its query is for other clients and has no effect",
			Warning:   true,
		},
	}
}

// fromURLFile reports whether the address is in a file, which is read before each check.
func (s *Settings) fromURLFile() bool { return s.URL.File() != "" && !s.urlIgnored }

// rotating returns a checker of what the file holds at each check.
func (s *Settings) rotating(i dependency.Instance) dependency.Checker {
	return &dependency.Rotating{
		Read:         s.URL.Read,
		Variable:     i.Prefix + "URL_FILE",
		Certificates: i.Certificates,
		New: func(text string) (dependency.Checker, error) {
			u, db, err := parseURL(text)
			if err != nil {
				return nil, err
			}
			there := *s
			there.use(u, db)
			return there.open(i)
		},
	}
}
