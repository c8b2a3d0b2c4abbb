package ollama

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

// Settings are the variables of an Ollama server. [Settings.BaseURL] resolves Host and
// Port.
type Settings struct {
	Host           string   `env:"HOST" named:"-" format:"ollama" help:"Host, host:port or URL, as Ollama itself accepts it. A port in it takes precedence over OLLAMA_PORT. A URL may contain user:password for a proxy."`
	Port           int      `env:"PORT" named:"-" min:"1" max:"65535" help:"Port, if OLLAMA_HOST has none. A URL with no port means 80 or 443, unless this is set."`
	RequiredModels []string `env:"REQUIRED_MODELS" format:"model" help:"Models that must exist; the service is degraded while one is missing. llama3 means llama3:latest. (OLLAMA_MODELS is a variable of Ollama itself.)"`
	InferenceModel string   `env:"INFERENCE_MODEL" format:"model" help:"Model that the check asks for one token, only while Ollama has it loaded and at most once per minute. Off when empty."`

	portSet bool // whether OLLAMA_PORT was given
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format {
	return map[string]config.Format{
		"ollama": {
			Words: "host, host:port or URL", Is: isAddress, Pattern: addressPattern, Check: checkAddress,
			Public: publicAddress, Secrets: addressSecrets,
		},
		"model": {Words: "model name", Is: isModel, Pattern: modelName.String(), Check: checkModel},
	}
}

const (
	isAddress = "a host, host:port or URL with a port from 1 to 65535"
	isModel   = "the name of one model, such as llama3 or llama3:8b"

	addressPattern = config.PatternBegin + config.PatternURLIPv6 +
		`|(?i:https?)://` + config.PatternLogin + config.PatternURLHost + `?(?::` + config.PatternPort + `)?(?:/(?:[^%?#]|` + config.PatternEscaped + `)*)?` +
		`|` + config.PatternLogin + config.PatternURLHost + `?(?::` + config.PatternPort + `)?(?:/(?:[^%?#:]|` + config.PatternEscaped + `)*)?` + config.PatternEnd
)

// publicAddress hides the user and password of an address that has no scheme. Those of
// a URL are hidden in any text.
func publicAddress(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 && !strings.Contains(text, "://") {
		return config.Mask + text[at:]
	}
	return text
}

func addressSecrets(text string) []string {
	u, err := parseAddress(text)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password}
}

func checkAddress(text string) (string, error) {
	_, err := parseAddress(text)
	return text, err
}

// parseAddress never repeats the error of url.Parse, which holds the URL and so
// its password.
func parseAddress(text string) (*url.URL, error) {
	raw := text
	if addr, err := netip.ParseAddr(raw); err == nil && addr.Is6() {
		raw = "[" + raw + "]"
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, config.Invalid("%s is not a host, host:port or URL", config.Quote(text))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, config.Invalid("the URL's scheme is not http or https")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, config.Invalid("the URL has a query or a fragment: leave it out")
	case u.Hostname() != "" && !config.IsHost(u.Hostname()), strings.HasSuffix(u.Host, ":"), u.Port() != "" && !config.IsPort(u.Port(), 1):
		return nil, config.Invalid("%s is not %s", config.Quote(text), isAddress)
	}
	return u, nil
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./:-]*$`)

func checkModel(text string) (string, error) {
	if modelName.MatchString(text) {
		return text, nil
	}
	return "", config.Invalid("%s is not %s", config.Quote(text), isModel)
}

// Complete implements [config.Completer].
func (s *Settings) Complete(given func(name string) bool) { s.portSet = given("PORT") }

// Effective implements [config.Settings].
func (s *Settings) Effective(string) [][2]string {
	u, err := s.BaseURL()
	if err != nil {
		return nil
	}
	return [][2]string{{"url", u.String()}}
}

// Rules implements [config.Settings].
func (s *Settings) Rules(prefix string) []config.Rule {
	return []config.Rule{{
		Variables: []string{prefix + "PORT", prefix + "HOST"},
		Broken: func() bool {
			u, err := s.BaseURL()
			return err == nil && s.portSet && u.Port() != strconv.Itoa(s.Port)
		},
		Text:    "has no effect: " + prefix + "HOST has a port of its own, which wins",
		Warning: true,
	}}
}

// BaseURL returns the address of the API, with no slash at its end. It holds the
// user and password, if Host does: Redacted() is the form to show. After [config.Load]
// there is never an error.
func (s *Settings) BaseURL() (*url.URL, error) {
	u, err := parseAddress(s.Host)
	if err != nil {
		return nil, err
	}
	host, port := u.Hostname(), u.Port()
	// OLLAMA_HOST is also what the server listens on, and a client cannot count
	// on reaching "all addresses".
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = loopback(addr)
	}
	if port == "" && (s.portSet || !strings.Contains(s.Host, "://")) {
		port = strconv.Itoa(s.Port)
	}
	u.Host = config.JoinHostPort(host, port)
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(addr netip.Addr) string {
	if addr.Is6() {
		return "::1"
	}
	return "127.0.0.1"
}

// Open implements [dependency.Settings].
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	base, err := s.BaseURL()
	if err != nil {
		return nil, err
	}
	return New(Options{
		BaseURL:        base.String(),
		RequiredModels: s.RequiredModels,
		InferenceModel: s.InferenceModel,
		Certificates:   i.Certificates,
		Timeout:        i.Timeout,
		Prefix:         dependency.Prefix(i.Prefix),
	}), nil
}

// schemes make services of any name of URLs.
func schemes() []dependency.Scheme {
	scheme := func(name, over, help string) dependency.Scheme {
		return dependency.Scheme{
			Name: name,
			Form: name + "://HOST[:PORT][/PATH]",
			Help: help,
			Settings: func(u dependency.URL) (dependency.Settings, []string, error) {
				port := 11434
				if over == "https" {
					port = 443
				}
				host, err := u.Host(port)
				switch {
				case err != nil:
					return nil, nil, err
				case u.User != "" || u.Query != "":
					return nil, nil, config.Invalid("the URL has a user or a query: %s takes none", u.Scheme)
				}
				return &Settings{Host: over + "://" + host.String() + u.Path, Port: port}, nil, nil
			},
		}
	}
	return []dependency.Scheme{
		scheme("ollama", "http", "As for the service `ollama`, over HTTP."),
		scheme("ollamas", "https", "The same over HTTPS."),
	}
}
