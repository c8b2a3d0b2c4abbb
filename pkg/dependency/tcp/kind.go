// Package tcp is the kind of dependency that is asked for a connection and nothing more, by
// TCP alone or with a TLS handshake: its settings, its checker and its measures.
package tcp

import (
	"net"
	"strconv"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// Kind returns what is known of servers of any protocol.
func Kind() dependency.Kind {
	return dependency.Kind{
		Kind:    health.Kind{Name: "tcp", Title: "TCP", Measures: measures()},
		Heading: "TCP and TLS",
		Schemes: []dependency.Scheme{
			scheme("tcp", "The check connects and closes the connection. It sends and reads nothing, so a server whose process hangs is still healthy, since its operating system accepts the connection. Use a scheme that checks an answer if there is one.", false),
			scheme("tls", "The check makes a TLS handshake (1.2 or later) and verifies the certificate's chain and its name, which must be HOST. Then it closes the connection.", true),
		},
	}
}

// measures describes what [Checker.Check] reports.
func measures() []health.Measure {
	return []health.Measure{
		{Name: "endpoint", Unit: health.UnitText},
		{Name: "tls_version", Unit: health.UnitText, Title: "TLS version"},
		dependency.CertificateMeasure(),
	}
}

func scheme(name, help string, secure bool) dependency.Scheme {
	return dependency.Scheme{
		Name: name, Form: name + "://HOST:PORT", Help: help,
		Settings: func(u dependency.URL) (dependency.Settings, []string, error) {
			host, err := u.Host(0)
			if err == nil {
				err = u.Plain()
			}
			return &Settings{host: host, secure: secure}, nil, err
		},
	}
}

// Settings are the variables of a server that is asked for a connection.
type Settings struct {
	CAFile string `env:"CA_FILE" format:"path" help:"For tls: PEM file with the certificate authorities for the server's certificate. The system's when empty."`

	host   dependency.Host
	secure bool
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format { return nil }

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (*Settings) Rules(prefix string) []config.Rule {
	return []config.Rule{dependency.NeedsTLS(prefix, "CA_FILE", "tcp", "tls")}
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	options := Options{Addr: net.JoinHostPort(s.host.Name, strconv.Itoa(s.host.Port)), Timeout: i.Timeout}
	if s.secure {
		options.TLS = dependency.TLSConfig(s.CAFile, s.host.Name, i.Certificates)
		options.TLS.ServerName = s.host.Name
	}
	return New(options), nil
}
