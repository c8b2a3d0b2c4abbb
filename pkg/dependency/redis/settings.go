package redis

import (
	"net"
	"strconv"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of a Redis server.
type Settings struct {
	Host         string        `env:"HOST" format:"host" help:"Host."`
	Port         int           `env:"PORT" min:"1" max:"65535" help:"Port."`
	Username     string        `env:"USERNAME" help:"ACL user; the default user when empty."`
	Password     config.Secret `env:"PASSWORD" help:"Password; no login when empty."`
	DB           int           `env:"DB" min:"0" max:"2147483647" help:"Number of the database."`
	TLS          config.Switch `env:"TLS" help:"Connect with TLS."`
	CAFile       string        `env:"CA_FILE" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
	AllowReplica config.Switch `env:"ALLOW_REPLICA" help:"Accept a replica, which is degraded otherwise."`
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format { return nil }

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (s *Settings) Rules(prefix string) []config.Rule {
	return []config.Rule{
		{
			Variables: []string{prefix + "CA_FILE", prefix + "TLS"},
			When:      config.Patterns{prefix + "CA_FILE": ".", prefix + "TLS": "^(off|false)$"},
			Text:      "needs " + prefix + "TLS=on",
		},
		{
			Variables: []string{prefix + "USERNAME", prefix + "PASSWORD"},
			Broken:    func() bool { return s.Username != "" && !s.Password.Given() },
			Text:      "has no effect without " + prefix + "PASSWORD",
			Warning:   true,
		},
	}
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
	}
	if s.TLS {
		options.TLS = dependency.TLSConfig(s.CAFile, s.Host, i.Certificates)
	}
	return New(options), nil
}
