package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ForMigration returns the configuration with DATABASE_MIGRATION_URL, where it is
// given, in the place of the database's address and role. What the URL leaves out
// stays; the password does only for the same role. A DATABASE_MIGRATION_URL_FILE is
// read, and an error that it cannot be is no [*Error]; one about its content is. Neither
// shows the value.
func (c *Config) ForMigration() (*Config, error) {
	if !c.Database.MigrationURL.Given() {
		return c, nil
	}
	text, err := c.Database.MigrationURL.Read()
	if err != nil {
		return nil, err
	}
	u, err := parsePostgres(text)
	if err != nil {
		return nil, &Error{[]Problem{{"DATABASE_MIGRATION_URL_FILE", err.Error()}}}
	}
	migration := *c
	migration.Database.use(u, c.redactor)
	return &migration, nil
}

func (d *Database) use(u *url.URL, redactor *Redactor) {
	if u.Hostname() != "" {
		d.Host, d.Port = u.Hostname(), 5432
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		d.Port = port
	}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		d.Name = name
	}
	d.login(u.User, redactor)
	query := u.Query()
	for key, field := range map[string]*string{
		"sslmode": &d.SSLMode, "sslrootcert": &d.SSLRootCert, "sslcert": &d.SSLCert, "sslkey": &d.SSLKey,
	} {
		if query.Has(key) {
			*field = query.Get(key)
		}
	}
	d.SSLMode = strings.ToLower(d.SSLMode)
}

// login takes user and password of a URL. Another role's password is not tried.
func (d *Database) login(user *url.Userinfo, redactor *Redactor) {
	if name := user.Username(); name != "" && name != d.User {
		d.User, d.Password = name, Secret{}
	}
	if password, ok := user.Password(); ok {
		redactor.Add(password)
		d.Password = newSecret(secret{variable: "DATABASE_MIGRATION_URL", value: password, redactor: redactor})
	}
}

func checkPostgres(text string) (string, error) {
	_, err := parsePostgres(text)
	return text, err
}

// parsePostgres quotes nothing of the URL, since it carries a password.
func parsePostgres(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, invalid("the value is not a URL: escape what is special in a password, such as %%40 for @")
	case u.Scheme != "postgres" && u.Scheme != "postgresql", u.Opaque != "":
		return nil, invalid("the value does not begin with postgres://")
	case u.Hostname() != "" && !isHost(u.Hostname()), u.Port() != "" && !isPort(u.Port(), 1):
		return nil, invalid("the URL has not one host, with a port from 1 to 65535")
	case u.Fragment != "" || strings.Count(u.Path, "/") > 1:
		return nil, invalid("the URL has more than the name of a database behind the host")
	}
	return u, checkPostgresQuery(u)
}

func checkPostgresQuery(u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return invalid("the URL's query cannot be read")
	}
	for key := range query {
		if !slices.Contains([]string{"sslmode", "sslrootcert", "sslcert", "sslkey"}, key) {
			return invalid("the URL's query may have sslmode, sslrootcert, sslcert and sslkey, and no other key")
		}
	}
	if mode := query.Get("sslmode"); mode != "" {
		_, err = oneOf(mode, []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
	}
	return err
}
