package http

import (
	"errors"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of an HTTP server.
type Settings struct {
	ExpectStatus []string      `env:"EXPECT_STATUS" format:"status" help:"HTTP statuses that are healthy, each a number such as 204 or a range such as 300-399. Any other status is unhealthy, except 429, which is degraded (overloaded)."`
	ExpectBody   string        `env:"EXPECT_BODY" format:"regexp" help:"Regular expression (Go's syntax) that must match somewhere in the first 64 kB of the body. Off when empty."`
	Token        config.Secret `env:"TOKEN" format:"bearer" help:"Token that the check sends as Authorization: Bearer. None when empty."`
	CAFile       string        `env:"CA_FILE" format:"path" help:"PEM file with the certificate authorities for the server's certificate. The system's when empty."`
	CertFile     string        `env:"CERT_FILE" format:"path" help:"PEM file with the client certificate, for a server that asks for one."`
	KeyFile      string        `env:"KEY_FILE" format:"path" help:"PEM file with the client certificate's key."`

	target url.URL // what is asked for; its query may hold a secret
}

// fromURL is the [dependency.Scheme.Settings] of http and https.
func fromURL(u dependency.URL) (settings dependency.Settings, given []string, err error) {
	host, err := u.Host(defaultPorts[u.Scheme])
	if err != nil {
		return nil, nil, err
	}
	if u.User != "" {
		return nil, nil, config.Invalid("the URL has a user: %s takes none; put a token into a file that {TOKEN_FILE} names", u.Scheme)
	}
	if strings.ContainsFunc(u.Query, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, nil, config.Invalid("the URL's query has a space or another character that must be escaped")
	}
	path, err := url.PathUnescape(u.Path)
	if err != nil {
		return nil, nil, config.Invalid("the URL's path is not well escaped")
	}
	if host.Port == defaultPorts[u.Scheme] {
		host.Port = 0
	}
	return &Settings{
		ExpectStatus: []string{"200-399"},
		target:       url.URL{Scheme: u.Scheme, Host: host.String(), Path: path, RawPath: u.Path, RawQuery: u.Query},
	}, nil, nil
}

var defaultPorts = map[string]int{"http": 80, "https": 443}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format {
	return map[string]config.Format{
		"status": {Words: "HTTP status, or a range of them", Is: isStatus, Pattern: statusSyntax.String(), Check: checkStatus},
		"regexp": {Words: "regular expression", Is: "a regular expression in Go's syntax", Pattern: "^", Check: checkRegexp},
	}
}

const isStatus = "an HTTP status from 200 to 599, such as 204, or a range of them, such as 300-399"

var statusSyntax = regexp.MustCompile(`^([2-5][0-9]{2})(?:-([2-5][0-9]{2}))?$`)

func checkStatus(text string) (string, error) {
	if _, err := parseStatuses(text); err != nil {
		return "", err
	}
	return text, nil
}

// Statuses are those from the first to the last.
type Statuses struct{ First, Last int }

// parseStatuses reads NNN or NNN-NNN.
func parseStatuses(text string) (Statuses, error) {
	parts := statusSyntax.FindStringSubmatch(text)
	if parts == nil {
		return Statuses{}, config.Invalid("%s is not %s", config.Quote(text), isStatus)
	}
	first, _ := strconv.Atoi(parts[1])
	last, err := strconv.Atoi(parts[2])
	if err != nil { // there is none
		last = first
	}
	if last < first {
		return Statuses{}, config.Invalid("%s ends before it begins", config.Quote(text))
	}
	return Statuses{first, last}, nil
}

func checkRegexp(text string) (string, error) {
	_, err := regexp.Compile(text)
	if bad := (*syntax.Error)(nil); errors.As(err, &bad) {
		return "", config.Invalid("%s is not a regular expression in Go's syntax: %s", config.Quote(text), bad.Code)
	}
	return text, err
}

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (*Settings) Rules(prefix string) []config.Rule {
	needs := func(name, other string) config.Rule {
		return config.Rule{
			Variables: []string{prefix + name, prefix + other},
			When:      config.Patterns{prefix + name: ".", prefix + other: "^$"},
			Text:      "needs " + prefix + other,
		}
	}
	return []config.Rule{
		needs("CERT_FILE", "KEY_FILE"),
		needs("KEY_FILE", "CERT_FILE"),
		dependency.NeedsTLS(prefix, "CA_FILE", "http", "https"),
		dependency.NeedsTLS(prefix, "CERT_FILE", "http", "https"),
	}
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	options := Options{
		URL:          s.target,
		CAFile:       s.CAFile,
		Certificates: i.Certificates,
		CertFile:     s.CertFile,
		KeyFile:      s.KeyFile,
		Timeout:      i.Timeout,
		Prefix:       dependency.Prefix(i.Prefix),
	}
	for _, text := range s.ExpectStatus {
		statuses, err := parseStatuses(text)
		if err != nil {
			return nil, err
		}
		options.Statuses = append(options.Statuses, statuses)
	}
	if s.ExpectBody != "" {
		body, err := regexp.Compile(s.ExpectBody)
		if err != nil {
			return nil, err
		}
		options.Body = body
	}
	if s.Token.Given() {
		options.Token = s.Token.Reader()
	}
	return New(options), nil
}
