package database

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/dial"
)

// Config says which database to use and how. The zero value of a field stands
// for its default.
type Config struct {
	Host string // or the directory of a Unix socket; default localhost
	Port uint16 // default 5432
	Name string // of the database; default reims
	User string // default postgres

	// Password is asked before every dial, so that a rotated secret works with no
	// restart. It must return soon after its context is done. An error fails that
	// dial with SQLSTATE 28000. The default is no password.
	Password func(context.Context) (string, error)

	// Environment and SSLMode decide on TLS, see [SSLMode]. The files are read
	// before every dial; one that is missing fails that dial, not Open.
	Environment string
	SSLMode     string
	SSLRootCert string // certificate authorities, PEM; "system" for the system's own
	SSLCert     string // client certificate, PEM; needs SSLKey
	SSLKey      string

	// MinConns connections are kept open, at most MaxConns. Defaults 10 and 20; with
	// MaxConns alone set, MinConns is at most that. -1 keeps none.
	MinConns, MaxConns int32
	// MaxConnLifetime is the age at which a connection is replaced by a new one, with
	// up to MaxConnLifetimeJitter (whole seconds) added. Defaults one hour, and a
	// tenth of MaxConnLifetime.
	MaxConnLifetime, MaxConnLifetimeJitter time.Duration
	// SkipPing hands out a connection that idled for more than a second without
	// asking whether it is alive. It saves a round trip; a dead connection then shows
	// as an error of the first statement.
	SkipPing bool
	// MaxMessage bounds one message of the server, which a row is, in bytes; a longer
	// one breaks the connection. A message is held in memory whole, and what is not
	// PostgreSQL may announce any length. Default pgx's own limit, 1 GiB.
	MaxMessage int

	// WatchTLS is called before every dial with each TLS configuration that the dial may
	// use, as SSLMode and the files have it. It may change it. The default changes nothing.
	WatchTLS func(*tls.Config)

	// ConnectTimeout bounds a dial as a whole (name resolution, every address, TLS,
	// login), and the wait for a free connection. Default 30 s.
	ConnectTimeout time.Duration
	// CommandTimeout bounds each statement, unless its context ends earlier; the
	// server is told as well where it takes that (PgBouncer doesn't). Default 5 s.
	CommandTimeout time.Duration

	// ApplicationName is shown in pg_stat_activity. Default reims.
	ApplicationName string
	// SlowQuery is the duration from which a statement is logged at warn level.
	// Default 1 s; a negative one never.
	SlowQuery time.Duration
	// Logger takes one record a statement and a dial. The default discards them.
	Logger *slog.Logger
	// DialFunc opens the network connection to one address. The default is a
	// net.Dialer's.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup resolves Host. Each of its addresses has a share of ConnectTimeout: to
	// connect, and to begin to answer. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// SSLMode returns the libpq sslmode in effect: mode where it is set; else
// verify-full with a root certificate, require in the environment production, and
// prefer in any other.
func SSLMode(environment, mode, rootCert string) string {
	switch {
	case mode != "":
		return mode
	case rootCert != "":
		return "verify-full"
	case environment == "production":
		return "require"
	default:
		return "prefer"
	}
}

// SSLModes returns the modes that are understood, from the weakest.
func SSLModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
}

func (c Config) withDefaults() Config {
	c.Host = cmp.Or(c.Host, "localhost")
	c.Port = cmp.Or(c.Port, 5432)
	c.Name = cmp.Or(c.Name, "reims")
	c.User = cmp.Or(c.User, "postgres")
	c.SSLMode = SSLMode(c.Environment, c.SSLMode, c.SSLRootCert)
	c.MaxConns = cmp.Or(c.MaxConns, max(c.MinConns, 20))
	c.MinConns = max(cmp.Or(c.MinConns, min(c.MaxConns, 10)), 0)
	c.MaxConnLifetime = cmp.Or(c.MaxConnLifetime, time.Hour)
	c.MaxConnLifetimeJitter = cmp.Or(c.MaxConnLifetimeJitter, c.MaxConnLifetime/10)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 30*time.Second)
	c.CommandTimeout = cmp.Or(c.CommandTimeout, 5*time.Second)
	c.ApplicationName = cmp.Or(c.ApplicationName, "reims")
	c.SlowQuery = cmp.Or(c.SlowQuery, time.Second)
	if c.Password == nil {
		c.Password = func(context.Context) (string, error) { return "", nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate finds what no server could make right.
func (c Config) validate() error {
	var problems []error
	if !slices.Contains(SSLModes(), c.SSLMode) {
		problems = append(problems, fmt.Errorf("SSLMode %q is none of %s", c.SSLMode, strings.Join(SSLModes(), ", ")))
	}
	if (c.SSLCert == "") != (c.SSLKey == "") {
		problems = append(problems, errors.New("SSLCert and SSLKey need each other"))
	}
	if c.MaxConns < 1 || c.MinConns > c.MaxConns {
		problems = append(problems, fmt.Errorf("MinConns %d and MaxConns %d: want MinConns <= MaxConns and MaxConns >= 1",
			c.MinConns, c.MaxConns))
	}
	if min(c.ConnectTimeout, c.CommandTimeout, c.MaxConnLifetime) < 0 {
		problems = append(problems, errors.New("ConnectTimeout, CommandTimeout and MaxConnLifetime must not be negative"))
	}
	if c.MaxMessage < 0 {
		problems = append(problems, fmt.Errorf("MaxMessage %d must not be negative", c.MaxMessage))
	}
	return errors.Join(problems...)
}

// target names the database for people.
func (c Config) target() string {
	_, address := pgconn.NetworkAddress(c.Host, c.Port)
	return address + "/" + c.Name + " as " + c.User
}

// statementTimeout is the command timeout as PostgreSQL's setting: whole
// milliseconds, of which zero would mean no limit.
func (c Config) statementTimeout() string {
	return strconv.FormatInt(max(c.CommandTimeout.Milliseconds(), 1), 10)
}

// poolConfig says everything there is to say to pgxpool, but for what is read
// afresh at each dial.
func (c Config) poolConfig() (*pgxpool.Config, error) {
	shape := c // of the attempts: with TLS, in clear, or both
	shape.SSLRootCert, shape.SSLCert, shape.SSLKey = "", "", ""
	pool, err := parse(shape, pgxpool.ParseConfig)
	if err != nil {
		return nil, err
	}
	pool.MinConns, pool.MaxConns = c.MinConns, c.MaxConns
	pool.MaxConnLifetime, pool.MaxConnLifetimeJitter = c.MaxConnLifetime, c.MaxConnLifetimeJitter
	pool.PingTimeout = c.CommandTimeout
	if c.SkipPing {
		pool.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	}
	conn := pool.ConnConfig
	// A transaction pooler gives every statement another session, so nothing may be
	// prepared or described in one and used in the next.
	conn.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn.StatementCacheCapacity, conn.DescriptionCacheCapacity = 0, 0
	conn.ConnectTimeout = c.ConnectTimeout
	if c.MaxMessage > 0 {
		conn.BuildFrontend = c.buildFrontend
	}
	conn.RuntimeParams = map[string]string{
		"application_name":  c.ApplicationName,
		statementTimeoutKey: c.statementTimeout(),
	}
	conn.Tracer = &tracer{log: c.Logger, slow: c.SlowQuery, command: c.CommandTimeout, connect: c.ConnectTimeout}
	return pool, nil
}

func (c Config) buildFrontend(r io.Reader, w io.Writer) *pgproto3.Frontend {
	frontend := pgproto3.NewFrontend(r, w)
	frontend.SetMaxBodyLen(c.MaxMessage)
	return frontend
}

// parse runs one of pgx's parsers in such a way that the environment and the home
// directory have no effect. It is the only way to make a pgx configuration.
func parse[T any](c Config, parser func(string) (T, error)) (T, error) {
	config, err := parser(c.conninfo(""))
	if err == nil {
		return config, nil
	}
	// PGSERVICE cannot be pinned to nothing: once it is set, pgx insists on reading
	// that service from a file. So it is given one, and the service in it is empty.
	file, pipeErr := emptyService()
	if pipeErr != nil {
		return config, pipeErr
	}
	config, err = parser(c.conninfo(fmt.Sprintf("/dev/fd/%d", file.Fd())))
	return config, errors.Join(err, file.Close())
}

const serviceName = "none"

// emptyService returns a pipe, so that no disk need be writable.
func emptyService() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a service file: %w", err)
	}
	_, err = fmt.Fprintf(w, "[%s]\n", serviceName)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("make a service file: %w", errors.Join(err, r.Close()))
	}
	return r, nil
}

// conninfo names every key that pgx would take from a PG* variable or from the
// home directory when the connection string leaves it out, but for the run-time
// parameters (application_name, options, timezone): poolConfig replaces those.
func (c Config) conninfo(serviceFile string) string {
	settings := [][2]string{
		{"host", c.Host},
		{"port", strconv.FormatUint(uint64(c.Port), 10)},
		{"dbname", c.Name},
		{"user", c.User},
		{"password", ""},
		{"passfile", ""},
		{"connect_timeout", "0"},
		{"sslmode", c.SSLMode},
		{"sslrootcert", c.SSLRootCert},
		{"sslcert", c.SSLCert},
		{"sslkey", c.SSLKey},
		{"sslcertmode", "allow"},
		{"sslpassword", ""},
		{"sslsni", "1"},
		{"sslnegotiation", ""},
		{"target_session_attrs", "any"},
		{"min_protocol_version", ""},
		{"max_protocol_version", ""},
		{"channel_binding", ""},
		{"require_auth", ""},
	}
	if serviceFile != "" {
		settings = append(settings, [2]string{"service", serviceName}, [2]string{"servicefile", serviceFile})
	}
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var info strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&info, "%s='%s' ", s[0], escape.Replace(s[1]))
	}
	return info.String()
}

// parseTLS reads the TLS files.
func (c Config) parseTLS() (*pgconn.Config, error) { return parse(c, pgconn.ParseConfig) }
