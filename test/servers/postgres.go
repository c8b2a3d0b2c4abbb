package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions say how to start a PostgreSQL.
type PostgresOptions struct {
	Options
	// Version is the major version: 18, or the default, 0, for Debian's own. An 18
	// cannot have a standby: it comes without pg_basebackup.
	Version int
	// Settings are lines of postgresql.conf, such as "max_connections": "5".
	Settings map[string]string
	// TLS offers TLS with a certificate for localhost and 127.0.0.1, see
	// [Postgres.CAFile]. Connections without it stay allowed; a "hostssl" line in
	// HBA changes that.
	TLS bool
	// HBA replaces the lines of pg_hba.conf. The default lets 127.0.0.1 in, or
	// with [Options].Host everybody, by password (scram-sha-256), also for replication. The superuser must be able
	// to get in.
	HBA []string
}

// Postgres is a PostgreSQL with an empty database "reims". It trades durability
// for speed: a crash of the machine may cost its data.
type Postgres struct {
	*Process
	// User is the superuser, with that Password.
	User, Password string
	// Database is "reims".
	Database string

	options PostgresOptions
	// certs are the files in use; none without TLS. A standby has its primary's.
	certs   certFiles
	primary *Postgres // of a standby
	binDir  string
}

// NewPostgres prepares a PostgreSQL with its cluster in o.Dir, which Start makes
// if it is not there. As root it runs as the user postgres, in a folder below
// /var/tmp if that user can't reach o.Dir.
func NewPostgres(o PostgresOptions) (*Postgres, error) {
	pg := &Postgres{User: "postgres", Database: "reims", options: o}
	var err error
	if o.Dir, err = openFolder(o.Dir); err != nil {
		return nil, fmt.Errorf("set up postgres: %w", err)
	}
	if pg.Process, err = newProcess("postgres", o.Options); err != nil {
		return nil, err
	}
	if pg.Password, err = secret(pg.dir, "password"); err != nil {
		return nil, fmt.Errorf("set up postgres: %w", err)
	}
	if o.TLS {
		if pg.certs, err = writeCertificate(filepath.Join(pg.dir, "tls")); err != nil {
			return nil, fmt.Errorf("set up postgres: %w", err)
		}
	}
	pg.prepare, pg.ready, pg.fill = pg.initCluster, pg.ping, pg.createDatabase
	pg.args = []string{"-D", pg.data(), "-h", pg.Host(), "-p", strconv.Itoa(pg.port)}
	pg.stopSignal = syscall.SIGINT   // fast shutdown: clients are cut off
	pg.deathSignal = syscall.SIGQUIT // immediate shutdown, its children too
	return pg, nil
}

// StartPostgres is NewPostgres and Start.
func StartPostgres(ctx context.Context, o PostgresOptions) (*Postgres, error) {
	pg, err := NewPostgres(o)
	if err != nil {
		return nil, err
	}
	if err := pg.Start(ctx); err != nil {
		return nil, errors.Join(err, pg.Close())
	}
	return pg, nil
}

func (pg *Postgres) data() string { return filepath.Join(pg.dir, "data") }

// CAFile returns the path of the certificate authority to trust, or nothing
// without [PostgresOptions].TLS.
func (pg *Postgres) CAFile() string { return pg.certs.CA }

// Endpoint returns the database's address without the password.
func (pg *Postgres) Endpoint() string {
	return fmt.Sprintf("postgres://%s@%s/%s", pg.User, pg.Addr(), pg.Database)
}

// URL returns a postgres:// address of the database, password included.
func (pg *Postgres) URL() string { return pg.url(pg.Database) }

func (pg *Postgres) url(database string) string {
	query := "sslmode=disable"
	if pg.CAFile() != "" {
		query = "sslmode=verify-full&sslrootcert=" + url.QueryEscape(pg.CAFile())
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(pg.User, pg.Password),
		Host: pg.Addr(), Path: database, RawQuery: query,
	}
	return u.String()
}

// SQL runs statements as the superuser in the database, over a connection of its
// own. Several, without arguments, may be given in one string.
func (pg *Postgres) SQL(ctx context.Context, statements string, args ...any) error {
	conn, err := pgx.Connect(ctx, pg.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements, args...); err != nil {
		return fmt.Errorf("run %q: %w", statements, err)
	}
	return nil
}

func (pg *Postgres) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, pg.url("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (pg *Postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, pg.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	err = conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", pg.Database).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "create database "+pgx.Identifier{pg.Database}.Sanitize())
	}
	if err != nil {
		return fmt.Errorf("create database %s: %w", pg.Database, err)
	}
	return nil
}

// Env returns the variables by which the product reaches this server.
func (pg *Postgres) Env() []Var {
	vars := []Var{
		{"DATABASE_HOST", pg.Host()},
		{"DATABASE_PORT", strconv.Itoa(pg.Port())},
		{"DATABASE_NAME", pg.Database},
		{"DATABASE_USER", pg.User},
		{"DATABASE_PASSWORD", pg.Password},
	}
	if pg.CAFile() != "" {
		vars = append(vars, Var{"DATABASE_SSLMODE", "verify-full"}, Var{"DATABASE_SSLROOTCERT", pg.CAFile()})
	}
	return vars
}
