package postgres

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// scheme makes a service of any name of a URL. The schema is for the service database alone.
func scheme() dependency.Scheme {
	return dependency.Scheme{
		Name: "postgres",
		Form: "postgres://[USER@]HOST[:PORT][/DATABASE][?sslmode=MODE]",
		Help: "As for the service `database`, without the schema. The default of user and database is `postgres`.",
		Settings: func(u dependency.URL) (dependency.Settings, []string, error) {
			host, err := u.Host(5432)
			if err != nil {
				return nil, nil, err
			}
			s := &Settings{Host: host.Name, Port: host.Port, Name: "postgres", User: "postgres", AppConnections: true}
			var given []string
			if u.User != "" {
				s.User, given = u.User, append(given, "USER")
			}
			if name, err := url.PathUnescape(strings.TrimPrefix(u.Path, "/")); err != nil || strings.Contains(name, "/") {
				return nil, nil, config.Invalid("the URL has more than the name of a database behind the host")
			} else if name != "" {
				s.Name, given = name, append(given, "NAME")
			}
			query, err := url.ParseQuery(u.Query)
			mode := query.Get("sslmode")
			if err != nil || u.Query != "" && (len(query) != 1 || mode == "") {
				return nil, nil, config.Invalid("the URL's query may have sslmode and nothing else: {SSLROOTCERT} and the others are variables")
			}
			if mode != "" {
				if s.SSLMode, err = config.OneOf(mode, sslModes()); err != nil {
					return nil, nil, err
				}
				given = append(given, "SSLMODE")
			}
			return s, given, nil
		},
	}
}

func sslModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
}

// applicationSecrets returns the password of a URL, that of one that is ignored as well.
func applicationSecrets(text string) []string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password}
}

// parseApplicationURL returns the URL with the keys of its query that it understands, and
// the names of the others.
func parseApplicationURL(text string) (u *url.URL, others []string, err error) {
	if u, err = parseAddress(text); err != nil {
		return nil, nil, err
	}
	if u.Host == "" {
		return nil, nil, config.Invalid("the URL has no host: give it one, or leave the URL out and set the address by the other variables")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, config.Invalid("the URL's query cannot be read")
	}
	for key := range query {
		if slices.Contains([]string{"host", "hostaddr", "port", "user", "password", "dbname", "service"}, key) {
			return nil, nil, config.Invalid("its query says where the server is, or who logs in")
		}
		if !isQueryKey(key) {
			others = append(others, key)
			query.Del(key)
		}
	}
	u.RawQuery = query.Encode()
	return u, others, checkQuery(u)
}

// Complete implements [config.Completer].
func (s *Settings) Complete(given func(name string) bool) {
	if !s.URL.Given() {
		return
	}
	s.urlIgnored = given("HOST") || given("PORT") || given("NAME") || given("USER")
	s.given = given
	if s.urlIgnored || s.URL.File() != "" {
		return
	}
	text, _ := s.URL.Read() // not from a file, so there is no error
	u, others, err := parseApplicationURL(text)
	if err != nil {
		s.urlIgnored, s.urlProblem = true, err.Error()
		return
	}
	s.useApplicationURL(u)
	s.urlOthers = others
}

// useApplicationURL takes what the URL says, but for what has a variable of its own.
func (s *Settings) useApplicationURL(u *url.URL) {
	was := *s
	s.use(u, s.URL)
	s.derived = map[string]string{"HOST": "URL", "PORT": "URL", "NAME": "URL", "USER": "URL"}
	if s.given("PASSWORD") {
		s.Password = was.Password
	} else if s.Password.Given() {
		s.derived["PASSWORD"] = "URL"
	}
	for name, field := range map[string]struct {
		now *string
		was string
	}{
		"SSLMODE": {&s.SSLMode, was.SSLMode}, "SSLROOTCERT": {&s.SSLRootCert, was.SSLRootCert},
		"SSLCERT": {&s.SSLCert, was.SSLCert}, "SSLKEY": {&s.SSLKey, was.SSLKey},
	} {
		switch {
		case s.given(name):
			*field.now = field.was
		case *field.now != field.was:
			s.derived[name] = "URL"
		}
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
			Text:      "ignored, because the address is set by " + prefix + "HOST, _PORT, _NAME or _USER: leave these out to use it",
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
			Broken:    func() bool { return len(s.urlOthers) > 0 },
			Text:      "keys of its query that are for other clients have no effect: sslmode, sslrootcert, sslcert and sslkey have one",
			Warning:   true,
		},
	}
}

// fromURLFile reports whether the address is in a file, which is read before each use.
func (s *Settings) fromURLFile() bool { return s.URL.File() != "" && !s.urlIgnored }

// at returns the settings for a URL that the file holds.
func (s *Settings) at(text string) (*Settings, error) {
	u, _, err := parseApplicationURL(text)
	if err != nil {
		return nil, err
	}
	there := *s
	there.useApplicationURL(u)
	there.URL = config.Secret{}
	return &there, nil
}

// rotating returns a checker of what the file holds at each check.
func (s *Settings) rotating(i dependency.Instance) dependency.Checker {
	return &dependency.Rotating{
		Read:         func() (string, error) { return s.URL.Read() },
		Variable:     i.Prefix + "URL_FILE",
		Certificates: i.Certificates,
		New: func(text string) (dependency.Checker, error) {
			there, err := s.at(text)
			if err != nil {
				return nil, err
			}
			return there.Open(i)
		},
	}
}

// resolved returns the settings with what the file of the URL holds now.
func (s *Settings) resolved(prefix string) (*Settings, error) {
	if !s.fromURLFile() {
		return s, nil
	}
	text, err := s.URL.Read()
	if err != nil {
		return nil, err
	}
	there, err := s.at(text)
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: prefix + "URL_FILE", Text: err.Error()}}}
	}
	return there, nil
}
