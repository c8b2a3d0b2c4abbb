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

// Config has the settings of a pool. The zero value of a field means its default.
type Config struct {
	Host string // or the directory of a Unix socket; default localhost
	Port uint16 // default 5432
	Name string // of the database; default reims
	User string // default postgres

	// Password is called before every dial, so that a rotated secret needs no restart. It
	// must return soon after its context is done. If it returns an error, that dial fails
	// with SQLSTATE 28000. The default is no password.
	Password func(context.Context) (string, error)

	// Environment and SSLMode determine the use of TLS, see [SSLMode]. The files are read
	// before every dial. If one is missing, that dial fails; Open does not.
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
	// SkipPing disables the ping of connections that were idle for more than a second
	// before they are used. It saves a round trip. The first statement on a broken
	// connection then fails.
	SkipPing bool
	// MaxMessage bounds one message of the server, such as a row, in bytes. A longer one
	// breaks the connection. Each message is held in memory, and a server that is not
	// PostgreSQL could announce any length. Default pgx's own limit, 1 GiB.
	MaxMessage int

	// WatchTLS is called before every dial with each TLS configuration that the dial may
	// use. It may change the configuration. By default nothing is called.
	WatchTLS func(*tls.Config)

	// ConnectTimeout bounds a whole dial (name resolution, all addresses, TLS, login), and
	// the wait for a free connection. Default 30 s.
	ConnectTimeout time.Duration
	// CommandTimeout bounds each statement, unless its context ends earlier. It is also
	// set as statement_timeout, if the server accepts that parameter (PgBouncer does not).
	// Default 5 s.
	CommandTimeout time.Duration

	// ApplicationName is shown in pg_stat_activity. Default reims.
	ApplicationName string
	// SlowQuery is the duration from which a statement is logged at warn level. Default
	// 1 s. If it is negative, none is.
	SlowQuery time.Duration
	// Logger receives one record per statement and per dial. The default discards them.
	Logger *slog.Logger
	// DialFunc opens the network connection to one address. The default is the method
	// of net.Dialer.
	DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup resolves Host. Each address gets a part of ConnectTimeout to connect and to
	// send its first data. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// SSLMode returns the effective sslmode of libpq: mode if it is set, otherwise verify-full
// with a root certificate, require in the environment production, and prefer in others.
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

// SSLModes returns the valid modes, from the weakest to the strongest.
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

// validate reports settings that contradict each other or are not valid for any server.
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

// statementTimeout returns the command timeout for PostgreSQL, in whole milliseconds. It is
// at least 1, since 0 would mean no limit.
func (c Config) statementTimeout() string {
	return strconv.FormatInt(max(c.CommandTimeout.Milliseconds(), 1), 10)
}

// poolConfig returns the configuration for pgxpool, except for what is read for each dial.
func (c Config) poolConfig() (*pgxpool.Config, error) {
	shape := c // only SSLMode counts here: attempts with TLS, without, or both
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
	// With a transaction pooler each statement may run in another session, so prepared and
	// described statements cannot be used again.
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

// parse runs one of pgx's parsers, so that the environment and the home directory have no
// effect. A pgx configuration cannot be made without a parser.
func parse[T any](c Config, parser func(string) (T, error)) (T, error) {
	config, err := parser(c.conninfo(""))
	if err == nil {
		return config, nil
	}
	// PGSERVICE cannot be disabled: if it is set, pgx always reads a service from a file.
	// So it gets a file with an empty service.
	file, pipeErr := emptyService()
	if pipeErr != nil {
		return config, pipeErr
	}
	config, err = parser(c.conninfo(fmt.Sprintf("/dev/fd/%d", file.Fd())))
	return config, errors.Join(err, file.Close())
}

const serviceName = "none"

// emptyService returns a pipe with an empty service, since no disk may be writable.
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

// conninfo returns a connection string with every key that pgx would otherwise read from a
// PG* variable or the home directory. The run-time parameters (application_name, options,
// timezone) are not in it, since poolConfig replaces them.
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
