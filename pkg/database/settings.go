package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

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
