package mail

import (
	"net"
	"strconv"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of a mail server.
type Settings struct {
	Host string        `env:"HOST" format:"host" help:"Host."`
	Port int           `env:"PORT" min:"1" max:"65535" help:"Port: usually 465 with MAIL_TLS=on."`
	TLS  config.Switch `env:"TLS" help:"Begin each connection with a TLS handshake. STARTTLS is not supported."`
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format { return nil }

// Rules implements [config.Settings].
func (*Settings) Rules(string) []config.Rule { return nil }

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	options := Options{Addr: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Timeout: i.Timeout}
	if s.TLS {
		options.TLS = dependency.TLSConfig("", s.Host, i.Certificates)
		options.TLS.ServerName = s.Host
	}
	return New(options), nil
}
