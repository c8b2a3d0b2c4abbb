package redis

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

const defaultPort = 6379

// Settings are the variables of a Redis server.
type Settings struct {
	Host         string        `env:"HOST" format:"host" named:"-" help:"Host."`
	Port         int           `env:"PORT" min:"1" max:"65535" named:"-" help:"Port."`
	Username     string        `env:"USERNAME" help:"ACL user; the default user when empty."`
	Password     config.Secret `env:"PASSWORD" help:"Password; no login when empty."`
	DB           int           `env:"DB" min:"0" max:"2147483647" help:"Number of the database."`
	TLS          config.Switch `env:"TLS" help:"Connect with TLS."`
	CAFile       string        `env:"CA_FILE" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
	AllowReplica config.Switch `env:"ALLOW_REPLICA" help:"Accept a replica, which is degraded otherwise."`

	// scheme is that of the URL in NAME_CHECK; empty where there is none.
	scheme string
	// given are the variables that the URL takes the place of.
	given []string
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format { return nil }

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (s *Settings) Rules(prefix string) []config.Rule {
	needsTLS, user, lonely := "needs "+prefix+"TLS=on", prefix+"USERNAME", "has no effect without "+prefix+"PASSWORD"
	if s.scheme == "redis" {
		needsTLS = "needs a " + prefix + "CHECK that begins with rediss"
	}
	if slices.Contains(s.given, "USERNAME") {
		user, lonely = prefix+"CHECK", "has a user, who has no effect without "+prefix+"PASSWORD"
	}
	return []config.Rule{
		{
			Variables: []string{prefix + "CA_FILE", prefix + "TLS"},
			When:      config.Patterns{prefix + "CA_FILE": ".", prefix + "TLS": "^(off|false)$"},
			Text:      needsTLS,
		},
		{
			Variables: []string{user, prefix + "PASSWORD"},
			Broken:    func() bool { return s.Username != "" && !s.Password.Given() },
			Text:      lonely,
			Warning:   true,
		},
	}
}

// schemes are those of a single server.
func schemes() []dependency.Scheme {
	scheme := func(name, help string) dependency.Scheme {
		return dependency.Scheme{Name: name, Form: name + "://[USER@]HOST[:PORT][/DB]", Help: help, Settings: fromURL}
	}
	return []dependency.Scheme{
		scheme("redis", "Logs in to a Redis and checks that it answers and accepts writes, as for the service redis."),
		scheme("rediss", "The same, with TLS."),
	}
}

func fromURL(u dependency.URL) (dependency.Settings, []string, error) {
	host, err := u.Host(defaultPort)
	if err != nil {
		return nil, nil, err
	}
	s := &Settings{Host: host.Name, Port: host.Port, TLS: u.Scheme == "rediss", scheme: u.Scheme, given: []string{"TLS"}}
	if u.User != "" {
		s.Username, s.given = u.User, append(s.given, "USERNAME")
	}
	if number := strings.TrimPrefix(u.Path, "/"); number != "" {
		db, err := strconv.ParseInt(number, 10, 32)
		if err != nil || db < 0 {
			return nil, nil, config.Invalid("the URL's path is not the number of a database: give %s://HOST:PORT/0", u.Scheme)
		}
		s.DB, s.given = int(db), append(s.given, "DB")
	}
	if u.Query != "" {
		return nil, nil, config.Invalid("the URL has a query: %s takes none", u.Scheme)
	}
	return s, s.given, nil
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	options := Options{
		Addr:         net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Username:     s.Username,
		Password:     s.Password.Reader(),
		DB:           s.DB,
		AllowReplica: bool(s.AllowReplica),
		Timeout:      i.Timeout,
		Prefix:       dependency.Prefix(i.Prefix),
		Words:        s.words(),
	}
	if s.TLS {
		options.TLS = dependency.TLSConfig(s.CAFile, s.Host, i.Certificates)
	}
	return New(options), nil
}

// words are those of the service redis unless NAME_CHECK says where the server is.
func (s *Settings) words() Words {
	w := serviceWords()
	if s.scheme != "" {
		w["{ADDRESS}"], w["{TLS_IS_OFF}"], w["{TLS_IS_ON}"] = "{CHECK}", "{CHECK} begins with redis, not with rediss", "{CHECK} begins with rediss"
	}
	for _, name := range s.given {
		w["{"+name+"}"] = "{CHECK}"
	}
	return w
}
