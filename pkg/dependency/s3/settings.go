package s3

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of an S3 server, such as MinIO.
type Settings struct {
	Endpoint  string        `env:"ENDPOINT" format:"endpoint" help:"Host, or host:port, with no scheme and no path."`
	AccessKey config.Secret `env:"ACCESS_KEY" help:"Access key (user name)."`
	SecretKey config.Secret `env:"SECRET_KEY" help:"Secret key."`
	Secure    config.Switch `env:"SECURE" help:"Connect with TLS (https)."`
	Buckets   []string      `env:"BUCKETS" format:"bucket" help:"Buckets that must exist; degraded while one does not. With it set, the credentials need not be allowed to list all buckets."`
	CAFile    string        `env:"CA_FILE" format:"path" help:"PEM file with the certificates that the server's one must lead to. The default is the system's."`
}

// Formats implements [config.Settings].
func (*Settings) Formats(prefix string) map[string]config.Format {
	isEndpoint := "host[:port]: leave out scheme and path (" + prefix + "SECURE turns TLS on)"
	return map[string]config.Format{
		"endpoint": {Words: "host[:port]", Is: isEndpoint, Pattern: endpointPattern, Check: checkEndpoint(isEndpoint)},
		"bucket":   {Words: "bucket name", Is: isBucket, Pattern: bucketSyntax.String(), Check: checkBucket},
	}
}

const (
	isBucket = "a bucket name: 3 to 63 letters, digits, dots and hyphens"

	endpointPattern = config.PatternBegin + config.PatternName +
		`|(?:` + config.PatternName + `|` + config.PatternBracketed + `):` + config.PatternPort + config.PatternEnd
)

// checkEndpoint returns a check that says what the text is not.
func checkEndpoint(isEndpoint string) func(string) (string, error) {
	return func(text string) (string, error) {
		host, port, err := net.SplitHostPort(text)
		if config.IsHost(text) && !strings.Contains(text, ":") || err == nil && config.IsHost(host) && config.IsPort(port, 1) {
			return text, nil
		}
		return "", config.Invalid("%s is not %s", config.Quote(text), isEndpoint)
	}
}

// bucketSyntax is what S3 servers accept in reading, older names included.
var bucketSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{1,61}[A-Za-z0-9]$`)

func checkBucket(text string) (string, error) {
	if bucketSyntax.MatchString(text) {
		return text, nil
	}
	return "", config.Invalid("%s is not %s", config.Quote(text), isBucket)
}

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (*Settings) Rules(prefix string) []config.Rule {
	return []config.Rule{{
		Variables: []string{prefix + "CA_FILE", prefix + "SECURE"},
		When:      config.Patterns{prefix + "CA_FILE": ".", prefix + "SECURE": "^(off|false)$"},
		Text:      "needs " + prefix + "SECURE=on",
	}}
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	return New(Options{
		Endpoint: s.Endpoint,
		Secure:   bool(s.Secure),
		CAFile:   s.CAFile,
		Keys: func(context.Context) (access, secret string, err error) {
			access, err1 := s.AccessKey.Read()
			secret, err2 := s.SecretKey.Read()
			return access, secret, errors.Join(err1, err2)
		},
		Buckets: s.Buckets,
		Timeout: i.Timeout,
		Prefix:  dependency.Prefix(i.Prefix),
	}), nil
}
