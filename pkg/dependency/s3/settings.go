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
	Endpoint  string        `env:"ENDPOINT" named:"-" format:"endpoint" help:"Host, or host:port, with no scheme and no path."`
	AccessKey config.Secret `env:"ACCESS_KEY" help:"Access key (user name)."`
	SecretKey config.Secret `env:"SECRET_KEY" help:"Secret key."`
	Secure    config.Switch `env:"SECURE" named:"-" help:"Connect with TLS (https)."`
	Buckets   []string      `env:"BUCKETS" format:"bucket" help:"Buckets that must exist; the service is degraded while one is missing. When set, the credentials do not need the right to list all buckets."`
	Region    string        `env:"REGION" format:"region" help:"Region for signing requests, such as eu-central-1; us-east-1 when empty. If the server names another one, the check uses that, and logs it if this variable is set."`
	PathStyle config.Switch `env:"PATH_STYLE" help:"Address buckets as HOST/BUCKET, as MinIO does. off addresses them as BUCKET.HOST, which Amazon and others require for newer buckets; HOST is then the regional endpoint, such as s3.eu-central-1.amazonaws.com."`
	CAFile    string        `env:"CA_FILE" format:"path" help:"PEM file with the certificate authorities for the server's certificate. The system's when empty."`

	named bool // there is no default login
}

// Formats implements [config.Settings].
func (*Settings) Formats(prefix string) map[string]config.Format {
	isEndpoint := "host[:port]: leave out scheme and path (" + prefix + "SECURE turns TLS on)"
	return map[string]config.Format{
		"endpoint": {Words: "host[:port]", Is: isEndpoint, Pattern: endpointPattern, Check: checkEndpoint(isEndpoint)},
		"region":   {Words: "region", Is: isRegion, Pattern: regionName.String(), Check: checkRegion},
		"bucket":   {Words: "bucket name", Is: isBucket, Pattern: bucketSyntax.String(), Check: checkBucket},
	}
}

const (
	isRegion = "the name of a region: letters, digits, hyphens, dots and underscores, such as eu-central-1"
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

func checkRegion(text string) (string, error) {
	if regionName.MatchString(text) {
		return text, nil
	}
	return "", config.Invalid("%s is not %s", config.Quote(text), isRegion)
}

// Effective implements [config.Settings].
func (*Settings) Effective(string) [][2]string { return nil }

// Rules implements [config.Settings].
func (s *Settings) Rules(prefix string) []config.Rule {
	missing := func(name string, key config.Secret) config.Rule {
		return config.Rule{
			Variables: []string{prefix + name},
			Broken:    func() bool { return s.named && !key.Given() },
			Text:      "missing: each request is signed with it; " + prefix + name + "_FILE names a file that holds it",
		}
	}
	return []config.Rule{missing("ACCESS_KEY", s.AccessKey), missing("SECRET_KEY", s.SecretKey), {
		Variables: []string{prefix + "CA_FILE", prefix + "SECURE"},
		When:      config.Patterns{prefix + "CA_FILE": ".", prefix + "SECURE": config.PatternOff},
		Text:      "needs " + prefix + "SECURE=on",
		Named:     "has no effect: the scheme of " + prefix + "CHECK is not s3s",
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
		Buckets:      s.Buckets,
		Certificates: i.Certificates,
		Region:       s.Region,
		VirtualHost:  !bool(s.PathStyle),
		Timeout:      i.Timeout,
		Prefix:       dependency.Prefix(i.Prefix),
	}), nil
}

// schemes make services of any name of URLs. They have no login of their own accord.
func schemes() []dependency.Scheme {
	scheme := func(name, help string, secure bool) dependency.Scheme {
		return dependency.Scheme{
			Name: name,
			Form: name + "://HOST[:PORT]",
			Help: help,
			Settings: func(u dependency.URL) (dependency.Settings, []string, error) {
				port := 80
				if secure {
					port = 443
				}
				host, err := u.Host(port)
				if err == nil {
					err = u.Plain()
				}
				return &Settings{Endpoint: host.String(), Secure: config.Switch(secure), PathStyle: true, named: true}, nil, err
			},
		}
	}
	return []dependency.Scheme{
		scheme("s3", "As for the service `minio`, over HTTP.", false),
		scheme("s3s", "The same over HTTPS.", true),
	}
}
