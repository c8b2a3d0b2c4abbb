package postgres

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
)

// ForMigration returns the settings with MIGRATION_URL, where it is given, in the place
// of the database's address and role. What the URL leaves out stays; the password does
// only for the same role. A MIGRATION_URL_FILE is read, and an error that it cannot be
// is no [*config.Error]; one about its content is. Neither shows the value.
func (s *Settings) ForMigration(prefix string) (*Settings, error) {
	s, err := s.resolved(prefix)
	if err != nil || !s.MigrationURL.Given() {
		return s, err
	}
	text, err := s.MigrationURL.Read()
	if err != nil {
		return nil, err
	}
	u, err := parseURL(text)
	if err != nil {
		return nil, &config.Error{Problems: []config.Problem{{Variable: prefix + "MIGRATION_URL_FILE", Text: err.Error()}}}
	}
	migration := *s
	migration.use(u, s.MigrationURL)
	return &migration, nil
}

const (
	urlQuery   = `(?:sslmode=(?i:disable|allow|prefer|require|verify-ca|verify-full)?|ssl(?:rootcert|cert|key)=(?:[^&;#%]|` + config.PatternEscaped + `)*)`
	urlPattern = config.PatternBegin + `\s*(?i:postgres(?:ql)?)://` + config.PatternLogin + config.PatternURLHost + `?(?::` + config.PatternPort + `)?` +
		`(?:/(?:[^/%?#]|` + config.PatternEscaped + `)*)?(?:\?` + urlQuery + `(?:&` + urlQuery + `)*)?\s*` + config.PatternEnd
)

// use takes what the URL of that variable says.
func (s *Settings) use(u *url.URL, variable config.Secret) {
	if u.Hostname() != "" {
		s.Host, s.Port = u.Hostname(), 5432
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		s.Port = port
	}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		s.Name = name
	}
	s.login(u.User, variable)
	query := u.Query()
	for key, field := range map[string]*string{
		"sslmode": &s.SSLMode, "sslrootcert": &s.SSLRootCert, "sslcert": &s.SSLCert, "sslkey": &s.SSLKey,
	} {
		if query.Has(key) {
			*field = query.Get(key)
		}
	}
	s.SSLMode = strings.ToLower(s.SSLMode)
}

// login takes user and password of a URL. Another role's password is not tried.
func (s *Settings) login(user *url.Userinfo, variable config.Secret) {
	if name := user.Username(); name != "" && name != s.User {
		s.User, s.Password = name, config.Secret{}
	}
	if password, ok := user.Password(); ok {
		s.Password = variable.Holding(password)
	}
}

func checkURL(text string) (string, error) {
	_, err := parseURL(text)
	return text, err
}

// parseURL quotes nothing of the URL, since it carries a password.
func parseURL(text string) (*url.URL, error) {
	u, others, err := splitURL(text)
	if len(others) > 0 {
		return nil, config.Invalid("the URL's query may have sslmode, sslrootcert, sslcert and sslkey, and no other key")
	}
	return u, err
}

// splitURL returns a URL with the keys of its query that count, and the names of the
// others. There is a URL beside an error about the query.
func splitURL(text string) (u *url.URL, others []string, err error) {
	if u, err = parseAddress(text); err != nil {
		return nil, nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return u, nil, config.Invalid("the URL's query cannot be read")
	}
	for key := range query {
		if !slices.Contains([]string{"sslmode", "sslrootcert", "sslcert", "sslkey"}, key) {
			others = append(others, key)
			query.Del(key)
		}
	}
	u.RawQuery = query.Encode()
	if mode := query.Get("sslmode"); mode != "" {
		_, err = config.OneOf(mode, database.SSLModes())
	}
	return u, others, err
}

// parseAddress checks all but the query.
func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, config.Invalid("the value is not a URL: escape what is special in a password, such as %%40 for @")
	case u.Scheme != "postgres" && u.Scheme != "postgresql", u.Opaque != "":
		return nil, config.Invalid("the value does not begin with postgres://")
	case u.Hostname() != "" && !config.IsHost(u.Hostname()), u.Port() != "" && !config.IsPort(u.Port(), 1):
		return nil, config.Invalid("the URL has not one host, with a port from 1 to 65535")
	case u.Fragment != "" || strings.Count(u.Path, "/") > 1:
		return nil, config.Invalid("the URL has more than the name of a database behind the host")
	}
	return u, nil
}
