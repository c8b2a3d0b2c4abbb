package redis

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
)

const defaultPort, sentinelPort = 6379, 26379

// Settings are the variables of a Redis server.
type Settings struct {
	Host         string        `env:"HOST" format:"host" named:"-" help:"Host."`
	Port         int           `env:"PORT" min:"1" max:"65535" named:"-" help:"Port."`
	Username     string        `env:"USERNAME" help:"ACL user; the default user when empty."`
	Password     config.Secret `env:"PASSWORD" help:"Password; no login when empty."`
	DB           int           `env:"DB" min:"0" max:"2147483647" help:"Number of the Redis database."`
	TLS          config.Switch `env:"TLS" help:"Connect with TLS, to Sentinels as well."`
	CAFile       string        `env:"CA_FILE" format:"path" help:"PEM file with the certificate authorities for the server's certificate. The system's when empty."`
	AllowReplica config.Switch `env:"ALLOW_REPLICA" help:"Accept a replica, which is degraded otherwise."`

	URL              config.Secret `env:"URL" format:"redis" named:"-" help:"Address and login as one URL, as applications have it. Used only if none of REDIS_HOST, REDIS_PORT, REDIS_USERNAME, REDIS_DB and REDIS_SENTINELS is set. REDIS_PASSWORD and REDIS_TLS take precedence over it. URLs of other drivers are ignored."`
	Sentinels        []string      `env:"SENTINELS" unless:"HOST PORT" format:"sentinel" named:"-" help:"Redis Sentinels, instead of a host and a port. Each check asks them for the master, so it follows a failover. Their default port is 26379. Used only if neither REDIS_HOST nor REDIS_PORT is set; otherwise ignored with a warning."`
	SentinelMaster   string        `env:"SENTINEL_MASTER" named:"-" help:"Name of the master in the Sentinels' configuration, such as mymaster."`
	SentinelPassword config.Secret `env:"SENTINEL_PASSWORD" help:"Password of the Sentinels; no login to them when empty. It is not the password of Redis itself."`

	// scheme is that of the URL in NAME_CHECK; empty where there is none.
	scheme string
	// given are the variables that the URL takes the place of.
	given []string
	// application is what became of URL, urlQuery that its query has no effect.
	application dependency.ApplicationURL
	urlQuery    bool
}

const (
	isSentinel      = "host[:port] of a Sentinel: leave out scheme and path, and put an IPv6 address in brackets"
	sentinelPattern = config.PatternBegin + `(?:` + config.PatternName + `|\[` + config.PatternIPv6 + `\])(?::` + config.PatternPort + `)?` + config.PatternEnd
)

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format {
	return map[string]config.Format{
		"redis":    dependency.ApplicationFormat("redis[s]://[[user]:password@]host[:port][/db]"),
		"sentinel": {Words: "host[:port]", Is: isSentinel, Pattern: sentinelPattern, Check: checkSentinel},
	}
}

func checkSentinel(text string) (string, error) {
	if host, err := dependency.ParseHost(text); err != nil || host.Name == "" {
		return "", config.Invalid("%s is not %s", config.Quote(text), isSentinel)
	}
	return text, nil
}

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
	if s.Derived()["USERNAME"] != "" {
		user, lonely = prefix+"URL", "has a user and no password, so it has no effect"
	}
	rules := append(s.urlRules(prefix), s.sentinelRules(prefix)...)
	if !s.application.InFile(s.URL) { // it may say rediss
		rules = append(rules, config.Rule{
			Variables: []string{prefix + "CA_FILE", prefix + "TLS"},
			When:      config.Patterns{prefix + "CA_FILE": ".", prefix + "TLS": config.PatternOff},
			Text:      needsTLS,
		})
	}
	return append(rules, config.Rule{
		Variables: []string{user, prefix + "PASSWORD"},
		Broken:    func() bool { return s.Username != "" && !s.Password.Given() },
		Text:      lonely,
		Warning:   true,
	})
}

func (s *Settings) sentinelRules(prefix string) []config.Rule {
	sentinels, master, needed := prefix+"SENTINELS", prefix+"SENTINEL_MASTER", prefix+"SENTINELS"
	if s.scheme != "" {
		needed = "a " + prefix + "CHECK that begins with redis+sentinel"
	}
	rules := []config.Rule{{
		Variables: []string{prefix + "SENTINEL_PASSWORD", sentinels},
		Broken:    func() bool { return len(s.Sentinels) == 0 && s.SentinelPassword.Given() },
		Text:      "has no effect without " + needed,
		Named:     "has no effect without " + needed,
		Warning:   true,
	}}
	if s.scheme != "" { // its URL is whole
		return rules
	}
	return append(rules, config.Rule{
		Variables: []string{sentinels, master},
		When:      config.Patterns{sentinels: ".", master: "^$"},
		Text:      "needs " + master + ", the name by which the Sentinels know the master",
	}, config.Rule{
		Variables: []string{master, sentinels},
		When:      config.Patterns{sentinels: "^$", master: "."},
		Text:      "has no effect without " + sentinels + ", the Sentinels that know the master by that name",
		Warning:   true,
	})
}

// schemes are those of a single server, and that of a master that Sentinels know.
func schemes() []dependency.Scheme {
	scheme := func(name, help string) dependency.Scheme {
		return dependency.Scheme{Name: name, Form: name + "://[USER@]HOST[:PORT][/DB]", Help: help, Settings: fromURL}
	}
	return []dependency.Scheme{
		scheme("redis", "Logs in to a Redis and checks that it answers and accepts writes, as for the service redis."),
		scheme("rediss", "The same, with TLS."),
		{
			Name: "redis+sentinel", Form: "redis+sentinel://[USER@]HOST[:PORT][,HOST[:PORT]…]/MASTER",
			Help:     "Asks Redis Sentinels for the master of that name and checks it as redis does. It follows a failover.",
			Settings: fromSentinelURL,
		},
	}
}

func fromSentinelURL(u dependency.URL) (dependency.Settings, []string, error) {
	name, err := url.PathUnescape(strings.TrimPrefix(u.Path, "/"))
	switch {
	case err != nil || name == "" || strings.Contains(u.Path[1:], "/"):
		return nil, nil, config.Invalid("the URL's path is not the name by which the Sentinels know the master: give %s://HOST,HOST/NAME", u.Scheme)
	case u.Query != "":
		return nil, nil, config.Invalid("the URL has a query: %s takes none", u.Scheme)
	}
	s := &Settings{SentinelMaster: name, scheme: u.Scheme, given: nil}
	for _, host := range u.Hosts {
		s.Sentinels = append(s.Sentinels, host.String())
	}
	if u.User != "" {
		s.Username, s.given = u.User, []string{"USERNAME"}
	}
	return s, s.given, nil
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
	if s.application.InFile(s.URL) {
		return s.application.Rotating(s.URL, i, s.openAt(i)), nil
	}
	return s.open(i)
}

func (s *Settings) open(i dependency.Instance) (dependency.Checker, error) {
	options := Options{
		Addr:         net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Username:     s.Username,
		Password:     s.Password.Reader(),
		DB:           s.DB,
		AllowReplica: bool(s.AllowReplica),
		Timeout:      i.Timeout,
		Idle:         i.Idle,
		Prefix:       dependency.Prefix(i.Prefix),
		Words:        s.words(),
	}
	// The Sentinels' certificates are not the service's.
	secure := func(seen *dependency.Certificates) func(host string) *tls.Config {
		return func(host string) *tls.Config { return dependency.TLSConfig(s.CAFile, host, seen) }
	}
	switch {
	case len(s.Sentinels) > 0:
		options.Addr, options.Sentinels = "", &Sentinels{Master: s.SentinelMaster, Password: s.SentinelPassword.Reader()}
		for _, text := range s.Sentinels {
			host, err := dependency.ParseHost(text)
			if err != nil {
				return nil, err
			}
			port := cmp.Or(host.Port, sentinelPort)
			options.Sentinels.Addrs = append(options.Sentinels.Addrs, net.JoinHostPort(host.Name, strconv.Itoa(port)))
		}
		if s.TLS {
			options.Sentinels.TLS, options.Sentinels.MasterTLS = secure(nil), secure(i.Certificates)
		}
	case bool(s.TLS):
		options.TLS = secure(i.Certificates)(s.Host)
	}
	return New(options), nil
}

// words name the variables that say where the server is: those of the service redis, or
// NAME_CHECK.
func (s *Settings) words() []string {
	w := serviceWords()
	switch s.scheme {
	case "redis", "rediss":
		w = []string{"{ADDRESS}", "{CHECK}", "{TLS_IS_OFF}", "{CHECK} begins with redis, not with rediss", "{TLS_IS_ON}", "{CHECK} begins with rediss"}
	case "redis+sentinel":
		w = append(w, "{SENTINELS}", "{CHECK}", "{SENTINEL_MASTER}", "{CHECK}")
	}
	for _, name := range s.given {
		w = append(w, "{"+name+"}", "{CHECK}")
	}
	derived := s.Derived()
	if derived == nil {
		return w
	}
	w = []string{"{ADDRESS}", "{URL}"}
	if derived["PASSWORD"] != "" {
		w = append(w, "{USERNAME} and {PASSWORD}", "{URL}") // once
	}
	if derived["TLS"] != "" {
		w = append(w, "{TLS_IS_OFF}", "{URL} begins with redis, not with rediss", "{TLS_IS_ON}", "{URL} begins with rediss")
	}
	for name, variable := range derived {
		w = append(w, "{"+name+"}", "{"+variable+"}")
	}
	return append(w, serviceWords()...)
}
