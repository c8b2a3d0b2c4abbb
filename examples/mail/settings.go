package mail

import (
	"net"
	"strconv"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of a mail server.
type Settings struct {
	Host string        `env:"HOST" named:"-" format:"host" help:"Host."`
	Port int           `env:"PORT" named:"-" min:"1" max:"65535" help:"Port: usually 465 with MAIL_TLS=on."`
	TLS  config.Switch `env:"TLS" named:"-" help:"Begin each connection with a TLS handshake. STARTTLS is not supported."`
}

// schemes make services of any name of URLs.
func schemes() []dependency.Scheme {
	scheme := func(name, help string, port int, secure config.Switch) dependency.Scheme {
		return dependency.Scheme{
			Name: name, Form: name + "://HOST[:PORT]", Help: help,
			Settings: func(u dependency.URL) (dependency.Settings, []string, error) {
				host, err := u.Host(port)
				if err == nil {
					err = u.Plain()
				}
				return &Settings{Host: host.Name, Port: host.Port, TLS: secure}, nil, err
			},
		}
	}
	return []dependency.Scheme{
		scheme("smtp", "The greeting and the answer to EHLO.", 25, false),
		scheme("smtps", "The same after a TLS handshake.", 465, true),
	}
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
