package postgres

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
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
				if s.SSLMode, err = config.OneOf(mode, database.SSLModes()); err != nil {
					return nil, nil, err
				}
				given = append(given, "SSLMODE")
			}
			return s, given, nil
		},
	}
}

// parseApplicationURL returns the URL with the keys of its query that it understands, and
// the names of the others.
func parseApplicationURL(text string) (u *url.URL, others []string, err error) {
	u, others, err = splitURL(text)
	switch {
	case u == nil:
		return nil, nil, err
	case u.Hostname() == "":
		return nil, nil, config.Invalid("the URL has no host: give it one, or leave the URL out and set the address by the other variables")
	case slices.ContainsFunc(others, isAddressKey):
		return nil, nil, config.Invalid("its query says where the server is, or who logs in")
	}
	return u, others, err
}

// isAddressKey knows the keys of libpq that would make it another server or role.
func isAddressKey(key string) bool {
	return slices.Contains([]string{"host", "hostaddr", "port", "user", "password", "dbname", "service"}, key)
}

// Complete implements [config.Completer].
func (s *Settings) Complete(given func(name string) bool) {
	s.application.Complete(s.URL, given, []string{"HOST", "PORT", "NAME", "USER"}, func(text string) error {
		u, others, err := parseApplicationURL(text)
		if err != nil {
			return err
		}
		s.useApplicationURL(u)
		s.urlOthers = others
		return nil
	})
}

// useApplicationURL takes what the URL says, but for what has a variable of its own.
func (s *Settings) useApplicationURL(u *url.URL) {
	was := *s
	s.use(u, s.URL)
	s.application.Derive("HOST", "PORT", "NAME", "USER")
	if s.application.Given("PASSWORD") {
		s.Password = was.Password
	} else if s.Password.Given() {
		s.application.Derive("PASSWORD")
	}
	for name, field := range map[string]struct {
		now *string
		was string
	}{
		"SSLMODE": {&s.SSLMode, was.SSLMode}, "SSLROOTCERT": {&s.SSLRootCert, was.SSLRootCert},
		"SSLCERT": {&s.SSLCert, was.SSLCert}, "SSLKEY": {&s.SSLKey, was.SSLKey},
	} {
		switch {
		case s.application.Given(name):
			*field.now = field.was
		case *field.now != field.was:
			s.application.Derive(name)
		}
	}
}

// Derived implements [config.Deriver].
func (s *Settings) Derived() map[string]string { return s.application.Derived() }

// urlRules are the warnings about a URL that is ignored, in whole or in part.
func (s *Settings) urlRules(prefix string) []config.Rule {
	return append(s.application.Rules(prefix, prefix+"HOST, _PORT, _NAME or _USER"), config.Rule{
		Variables: []string{prefix + "URL"},
		Broken:    func() bool { return len(s.urlOthers) > 0 },
		Text:      "keys of its query that are for other clients have no effect: sslmode, sslrootcert, sslcert and sslkey have one",
		Warning:   true,
	})
}

// at returns the settings for a URL that the file holds. Where it contradicts the variables, the
// error is a [health.Fault].
func (s *Settings) at(prefix dependency.Prefix, text string) (*Settings, error) {
	u, _, err := parseApplicationURL(text)
	if err != nil {
		return nil, err
	}
	there := *s
	there.useApplicationURL(u)
	there.URL = config.Secret{}
	// What [Settings.Rules] refuse where the URL is in no file.
	var contradiction string
	switch {
	case there.SSLRootCert != "" && slices.Contains([]string{"disable", "allow", "prefer"}, there.SSLMode):
		contradiction = "its sslmode verifies no certificate, and {SSLROOTCERT} asks for that: use verify-full or verify-ca, or set {SSLMODE}"
	case there.SSLCert != "" && there.SSLMode == "disable":
		contradiction = "its sslmode is disable, and {SSLCERT} asks for TLS: use require, or set {SSLMODE}"
	case (there.SSLCert == "") != (there.SSLKey == ""):
		contradiction = "{SSLCERT} and {SSLKEY} need each other: give both, here or there, or none"
	default:
		return &there, nil
	}
	return nil, &health.Fault{
		Reason:  health.ReasonTLS,
		Message: prefix.Expand("the URL in the file of {URL_FILE} contradicts the variables: " + contradiction),
	}
}

// openAt opens the checker of what the file holds.
func (s *Settings) openAt(i dependency.Instance) func(text string) (dependency.Checker, error) {
	return func(text string) (dependency.Checker, error) {
		there, err := s.at(dependency.Prefix(i.Prefix), text)
		if err != nil {
			return nil, err
		}
		return there.Open(i)
	}
}

// resolved returns the settings with what the file of the URL holds now.
func (s *Settings) resolved(prefix string) (*Settings, error) {
	if !s.application.InFile(s.URL) {
		return s, nil
	}
	text, err := s.URL.Read()
	if err != nil {
		return nil, err
	}
	there, err := s.at(dependency.Prefix(prefix), text)
	if fault := (*health.Fault)(nil); errors.As(err, &fault) {
		err = config.Invalid("%s", fault.Message)
	}
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: prefix + "URL_FILE", Text: err.Error()}}}
	}
	return there, nil
}
