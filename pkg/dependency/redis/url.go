package redis

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

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
	s.application.Complete(s.URL, given, []string{"HOST", "PORT", "USERNAME", "DB", "SENTINELS"}, func(text string) error {
		u, db, err := parseURL(text)
		if err != nil {
			return err
		}
		s.use(u, db)
		s.urlQuery = u.RawQuery != ""
		return nil
	})
}

// use takes what the URL says, but for what has a variable of its own.
func (s *Settings) use(u *url.URL, db int) {
	s.Host, s.Port, s.Username, s.DB = u.Hostname(), defaultPort, u.User.Username(), db
	if port, err := strconv.Atoi(u.Port()); err == nil {
		s.Port = port
	}
	s.application.Derive("HOST", "PORT", "USERNAME", "DB")
	if password, ok := u.User.Password(); ok && !s.application.Given("PASSWORD") {
		s.Password = s.URL.Holding(password)
		s.application.Derive("PASSWORD")
	}
	if !s.application.Given("TLS") {
		s.TLS = u.Scheme == "rediss"
		s.application.Derive("TLS")
	}
}

// Derived implements [config.Deriver].
func (s *Settings) Derived() map[string]string { return s.application.Derived() }

// urlRules are the warnings about a URL that is ignored, in whole or in part.
func (s *Settings) urlRules(prefix string) []config.Rule {
	return append(s.application.Rules(prefix, prefix+"HOST, _PORT, _USERNAME, _DB or _SENTINELS"), config.Rule{
		Variables: []string{prefix + "URL"},
		Broken:    func() bool { return s.urlQuery },
		Text:      "its query is for other clients and has no effect",
		Warning:   true,
	})
}

// openAt opens the checker of what the file holds.
func (s *Settings) openAt(i dependency.Instance) func(text string) (dependency.Checker, error) {
	return func(text string) (dependency.Checker, error) {
		u, db, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		there := *s
		there.use(u, db)
		return there.open(i)
	}
}
