package grpc

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of a gRPC server.
type Settings struct {
	CAFile string `env:"CA_FILE" format:"path" help:"PEM file with the certificate authorities for the server's certificate. The system's when empty."`

	host    dependency.Host
	secure  bool
	service string
}

// fromURL is the [dependency.Scheme.Settings] of grpc and grpcs.
func fromURL(u dependency.URL) (settings dependency.Settings, given []string, err error) {
	host, err := u.Host(0)
	if err != nil {
		return nil, nil, err
	}
	service, err := url.PathUnescape(strings.TrimPrefix(u.Path, "/"))
	if err != nil || !utf8.ValidString(service) {
		return nil, nil, config.Invalid("the name of the service in the URL is not well escaped")
	}
	u.Path = ""
	if err := u.Plain(); err != nil {
		return nil, nil, err
	}
	return &Settings{host: host, secure: u.Scheme == "grpcs", service: service}, nil, nil
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format { return nil }

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (*Settings) Rules(prefix string) []config.Rule {
	return []config.Rule{dependency.NeedsTLS(prefix, "CA_FILE", "grpc", "grpcs")}
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	return New(Options{
		Addr:         s.host.String(),
		Secure:       s.secure,
		Service:      s.service,
		CAFile:       s.CAFile,
		Certificates: i.Certificates,
		Timeout:      i.Timeout,
		Prefix:       dependency.Prefix(i.Prefix),
	}), nil
}
