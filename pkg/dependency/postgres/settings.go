package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/idle"
)

// Settings are the variables of a PostgreSQL database. Host may be the directory of a
// Unix socket.
type Settings struct {
	Host           string        `env:"HOST" named:"-" format:"host or socket" help:"Host, or the directory of a Unix socket."`
	Port           int           `env:"PORT" named:"-" min:"1" max:"65535" help:"Port."`
	Name           string        `env:"NAME" help:"Database to connect to."`
	User           string        `env:"USER" help:"Role to log in as."`
	Password       config.Secret `env:"PASSWORD" help:"Password of that role."`
	URL            config.Secret `env:"URL" named:"-" format:"application" help:"Address, role and password as one URL, as applications have it: postgres://user:password@host:port/database. Used only if none of DATABASE_HOST, DATABASE_PORT, DATABASE_NAME and DATABASE_USER is set. Other variables, such as DATABASE_PASSWORD, take precedence over it. URLs of other drivers (postgresql+asyncpg) and unknown keys of the query are ignored with a warning."`
	SSLMode        string        `env:"SSLMODE" oneof:"disable allow prefer require verify-ca verify-full" help:"TLS mode, as in libpq. When empty: verify-full with a root certificate, require in production, otherwise prefer; a Unix socket has no TLS."`
	SSLRootCert    string        `env:"SSLROOTCERT" format:"path" help:"PEM file with the certificate authorities for the server's certificate. The system's when empty."`
	SSLCert        string        `env:"SSLCERT" format:"path" help:"PEM file with a client certificate."`
	SSLKey         string        `env:"SSLKEY" format:"path" help:"PEM file with that certificate's key."`
	AllowReplica   config.Switch `env:"ALLOW_REPLICA" help:"Accept a standby or a read-only server, which is unhealthy otherwise."`
	SchemaCheck    config.Switch `env:"SCHEMA_CHECK" named:"-" help:"Compare the schema's version with the one that this release needs. If it is older or cannot be read, the database is degraded (schema_behind), and the Pod is not ready until the schema has been new enough once."`
	AppConnections config.Switch `env:"APP_CONNECTIONS" help:"Count the connections of this Pod's API, by the Pod's address. Turn it off behind a pooler, which hides that address."`
	MigrationURL   config.Secret `env:"MIGRATION_URL" named:"-" format:"postgres" help:"For reims-health migrate: the server's own address, not a pooler's, and the migrator's role. The variables above apply to what it leaves out."`

	schema      Schema
	application dependency.ApplicationURL // what became of URL
	urlOthers   []string                  // keys of its query that have no effect
}

var (
	_ dependency.Identifier = (*Settings)(nil)
	_ dependency.Waiter     = (*Settings)(nil)
)

// Schema is what the database's schema must be.
type Schema struct {
	// Required is the version below which the database is schema_behind; zero does not
	// look.
	Required int64
	// Table is a table that the first step of the schema makes: without it, the versions
	// are another program's. The default, empty, does not look.
	Table string
}

// Rules implements [config.Settings].
func (s *Settings) Rules(prefix string) []config.Rule {
	noTLS := "no TLS is used, by " + prefix + "SSLMODE=disable or on a Unix socket: leave the certificate out"
	return append(s.urlRules(prefix), []config.Rule{
		{
			Variables: []string{prefix + "SSLMODE", prefix + "HOST"},
			When:      config.Patterns{prefix + "HOST": "^/", prefix + "SSLMODE": "^(require|verify-ca|verify-full)$"},
			Text:      "a Unix socket (" + prefix + "HOST) has no TLS: leave the mode out",
		},
		{
			Variables: []string{prefix + "SSLROOTCERT", prefix + "SSLMODE"},
			When:      config.Patterns{prefix + "SSLROOTCERT": ".", prefix + "SSLMODE": "^(disable|allow|prefer)$"},
			Text:      prefix + "SSLMODE verifies no certificate: set it to verify-full or verify-ca, or leave it out (verify-full)",
		},
		{
			Variables: []string{prefix + "SSLROOTCERT", prefix + "HOST"},
			When:      config.Patterns{prefix + "SSLROOTCERT": ".", prefix + "HOST": "^/"},
			Text:      "a Unix socket (" + prefix + "HOST) has no TLS: leave the certificate out",
		},
		{
			Variables: []string{prefix + "SSLCERT", prefix + "SSLKEY"},
			When:      config.Patterns{prefix + "SSLCERT": ".", prefix + "SSLKEY": "^$"},
			Text:      "needs its key: set " + prefix + "SSLKEY",
		},
		{
			Variables: []string{prefix + "SSLKEY", prefix + "SSLCERT"},
			When:      config.Patterns{prefix + "SSLKEY": ".", prefix + "SSLCERT": "^$"},
			Text:      "needs its certificate: set " + prefix + "SSLCERT",
		},
		{
			Variables: []string{prefix + "SSLCERT", prefix + "SSLKEY", prefix + "SSLMODE"},
			When:      config.Patterns{prefix + "SSLCERT": ".", prefix + "SSLKEY": ".", prefix + "SSLMODE": "^disable$"},
			Text:      noTLS,
		},
		{
			Variables: []string{prefix + "SSLCERT", prefix + "SSLKEY", prefix + "SSLMODE", prefix + "HOST"},
			When:      config.Patterns{prefix + "SSLCERT": ".", prefix + "SSLKEY": ".", prefix + "SSLMODE": "^$", prefix + "HOST": "^/"},
			Text:      noTLS,
		},
	}...)
}

// Formats implements [config.Settings].
func (*Settings) Formats(string) map[string]config.Format {
	return map[string]config.Format{"postgres": {
		Words:   "postgres://[user[:password]@]host[:port][/database][?sslmode=…]",
		Is:      "such a URL: see docs/configuration.md",
		Pattern: urlPattern,
		Check:   checkURL,
		Trimmed: true,
	}, "application": dependency.ApplicationFormat("postgres://[user[:password]@]host[:port][/database][?sslmode=…]")}
}

// Effective implements [config.Settings].
func (s *Settings) Effective(environment string) [][2]string {
	return [][2]string{{"sslmode", s.EffectiveSSLMode(environment)}}
}

// EffectiveSSLMode returns the sslmode in effect: the one that was given; else disable
// on a Unix socket, verify-full with a root certificate, require in the environment
// production, and prefer.
func (s *Settings) EffectiveSSLMode(environment string) string {
	switch {
	case s.SSLMode != "":
		return s.SSLMode
	case s.Socket():
		return "disable"
	case s.SSLRootCert != "":
		return "verify-full"
	case environment == "production":
		return "require"
	default:
		return "prefer"
	}
}

// Socket reports whether Host is the directory of a Unix socket.
func (s *Settings) Socket() bool { return strings.HasPrefix(s.Host, "/") }

// Identity implements [dependency.Identifier]. The required schema is part of it: a new
// image, in the same Pod, may need a newer one.
func (s *Settings) Identity() []string {
	if !bool(s.SchemaCheck) {
		return nil
	}
	return []string{"schema", strconv.FormatInt(s.schema.Required, 10)}
}

// ForWait implements [dependency.Waiter].
func (s *Settings) ForWait() dependency.Settings {
	wait := *s
	wait.AppConnections, wait.SchemaCheck = false, true
	return &wait
}

// maxMessage is far above what a check's statements answer, in bytes.
const maxMessage = 1 << 20

// Pool returns where the database is and how to log in, for a pool that keeps no
// connection of its own accord. Statements are not logged as slow: a check has
// PROBE_DEGRADED_LATENCY, and migrations tell their times.
func (s *Settings) Pool(environment string) database.Config {
	return database.Config{
		Host: s.Host, Port: uint16(s.Port), Name: s.Name, User: s.User, //nolint:gosec // validated
		Password:    s.Password.Reader(),
		SSLMode:     s.EffectiveSSLMode(environment),
		SSLRootCert: s.SSLRootCert,
		SSLCert:     s.SSLCert,
		SSLKey:      s.SSLKey,
		MinConns:    -1,
		SlowQuery:   -1,
	}
}

// Open implements [dependency.Settings]. The checker has a pool of its own: one
// connection, and a second one for when the first is held up by a statement that timed
// out. The checker says when they are dialled afresh.
func (s *Settings) Open(i dependency.Instance) (dependency.Checker, error) {
	if s.application.InFile(s.URL) {
		return s.application.Rotating(s.URL, i, s.openAt(i)), nil
	}
	pool := s.Pool(i.Environment)
	pool.MaxConns, pool.SkipPing, pool.MaxMessage = 2, true, maxMessage
	pool.ConnectTimeout, pool.CommandTimeout = i.Timeout, i.Timeout
	pool.ApplicationName, pool.Logger = "reims-health", i.Log
	if i.Certificates != nil {
		pool.WatchTLS = i.Certificates.Watch
	}
	db, err := database.Open(context.Background(), pool)
	if err != nil {
		return nil, err
	}
	options := Options{
		Pool:           db.Pool(),
		Prefix:         dependency.Prefix(i.Prefix),
		Logger:         i.Log,
		Database:       s.Name,
		AllowReplica:   bool(s.AllowReplica),
		Certificates:   i.Certificates,
		AppConnections: bool(s.AppConnections),
		Idle:           i.Idle,
		Pods:           i.Pods,
	}
	if s.SchemaCheck {
		options.RequiredSchema, options.SchemaTable = s.schema.Required, s.schema.Table
	}
	return pooled{New(options), db, i.Idle}, nil
}

// pooled closes the pool of its checker.
type pooled struct {
	*Checker
	db   *database.DB
	idle *idle.Watch
}

// Close closes the pool. It must not run beside Check.
func (p pooled) Close() error {
	p.idle.Stop()
	return p.db.Close()
}
