package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/test/servers/install"
)

// PostgresOptions say how to start a PostgreSQL.
type PostgresOptions struct {
	Options
	// Version is the major version: 18, or the default, 0, for Debian's own. An 18
	// cannot have a standby: it comes without pg_basebackup.
	Version int
	// Settings are lines of postgresql.conf, such as "max_connections": "5".
	Settings map[string]string
	// Env are variables of the server, such as LD_PRELOAD=/lib.so.
	Env []string
	// TLS offers TLS with a certificate for localhost and 127.0.0.1, see
	// [Postgres.CAFile]. Connections without it stay allowed; a "hostssl" line in
	// HBA changes that.
	TLS bool
	// Valid is when the certificate is.
	Valid Validity
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
		if pg.certs, err = writeCertificate(filepath.Join(pg.dir, "tls"), o.Valid); err != nil {
			return nil, fmt.Errorf("set up postgres: %w", err)
		}
	}
	pg.prepare, pg.ready, pg.fill = pg.initCluster, pg.ping, pg.createDatabase
	pg.args = []string{"-D", pg.data(), "-h", pg.Host(), "-p", strconv.Itoa(pg.port)}
	pg.env = o.Env
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

// UsePostgres starts a PostgreSQL in a temporary folder for use, whose own files may go into
// that folder too, and leaves nothing behind when use returns.
func UsePostgres(ctx context.Context, progress func(line string), use func(dir string, pg *Postgres) error) (err error) {
	dir, err := os.MkdirTemp("", "reims-health-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o711); err != nil { // as root, the server runs under an account of its own
		return err
	}
	pg, err := StartPostgres(ctx, PostgresOptions{Options: Options{Dir: filepath.Join(dir, "postgres"), Progress: progress}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Close()) }()
	return use(dir, pg)
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

func (pg *Postgres) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(pg.url(database))
	if err != nil {
		return nil, err
	}
	if config.TLSConfig != nil {
		config.TLSConfig.Time = pg.certs.clock()
	}
	return pgx.ConnectConfig(ctx, config)
}

// SQL runs statements as the superuser in the database, over a connection of its
// own. Several, without arguments, may be given in one string.
func (pg *Postgres) SQL(ctx context.Context, statements string, args ...any) error {
	conn, err := pg.connect(ctx, pg.Database)
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
	conn, err := pg.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (pg *Postgres) createDatabase(ctx context.Context) error {
	conn, err := pg.connect(ctx, "postgres")
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

// initCluster installs PostgreSQL, makes the cluster unless it is there, and
// writes its configuration.
func (pg *Postgres) initCluster(ctx context.Context) error {
	var err error
	if pg.binDir, err = pg.programs(ctx); err != nil {
		return err
	}
	pg.path = filepath.Join(pg.binDir, "postgres")
	if pg.account, err = unprivileged(); err != nil {
		return err
	}
	if err := pg.give(pg.dir, pg.passwordFile()); err != nil {
		return err
	}
	if !pg.hasCluster() {
		if err := pg.newCluster(ctx); err != nil {
			return err
		}
	}
	return pg.configure()
}

// programs returns the folder of the version's programs, which it installs.
func (pg *Postgres) programs(ctx context.Context) (string, error) {
	switch pg.options.Version {
	case 0:
		if err := install.Packages(ctx, pg.progress(), "postgresql"); err != nil {
			return "", err
		}
		return install.PostgresPrograms()
	case 18:
		return install.Postgres18(ctx, pg.progress())
	default:
		return "", fmt.Errorf("no PostgreSQL %d: there are 0 for Debian's and 18", pg.options.Version)
	}
}

func (pg *Postgres) hasCluster() bool {
	_, err := os.Stat(filepath.Join(pg.data(), "PG_VERSION"))
	return err == nil
}

func (pg *Postgres) passwordFile() string { return filepath.Join(pg.dir, "password") }

func (pg *Postgres) newCluster(ctx context.Context) error {
	if pg.primary != nil {
		return pg.copyPrimary(ctx)
	}
	return pg.run(ctx, "initdb", "-D", pg.data(), "-U", pg.User, "--pwfile="+pg.passwordFile(),
		"-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--wal-segsize=1", "--no-sync")
}

// Client executes one of PostgreSQL's client programs, such as pgbench, on the server as its
// superuser.
func (pg *Postgres) Client(ctx context.Context, program string, args ...string) error {
	return pg.run(ctx, program, append([]string{"-h", pg.Host(), "-p", strconv.Itoa(pg.Port()), "-U", pg.User}, args...)...)
}

// run executes one of PostgreSQL's programs as the server's user.
func (pg *Postgres) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(pg.binDir, program), args...)
	cmd.Dir = pg.dir
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "PGPASSWORD=" + pg.Password}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.account}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// configure writes what differs from initdb's postgresql.conf, and pg_hba.conf.
func (pg *Postgres) configure() error {
	settings := map[string]string{
		"unix_socket_directories": "",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"shared_buffers":          "16MB",
		"log_timezone":            "UTC",
		"timezone":                "UTC",
	}
	if pg.CAFile() != "" {
		if err := pg.give(pg.certs.Key); err != nil { // PostgreSQL insists on owning it
			return err
		}
		settings["ssl"], settings["ssl_cert_file"], settings["ssl_key_file"] = "on", pg.certs.Cert, pg.certs.Key
	}
	maps.Copy(settings, pg.options.Settings)
	var conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	if err := pg.writeFile(filepath.Join(pg.data(), "postgresql.conf"), conf.String()); err != nil {
		return err
	}
	hba := pg.options.HBA
	if hba == nil {
		clients := "127.0.0.1/32"
		if pg.Host() != loopback {
			clients = "all"
		}
		hba = []string{"host all,replication all " + clients + " scram-sha-256"}
	}
	return pg.writeFile(filepath.Join(pg.data(), "pg_hba.conf"), strings.Join(hba, "\n")+"\n")
}

// NewStandby prepares a standby in o.Dir: Start copies the data of pg, which must
// be running then, and follows it, read-only until [Postgres.Promote]. Database,
// user, password and options are those of pg.
func NewStandby(pg *Postgres, o Options) (*Postgres, error) {
	options := pg.options
	options.Options, options.TLS = o, false
	standby, err := NewPostgres(options)
	if err != nil {
		return nil, err
	}
	standby.Password, standby.certs, standby.primary = pg.Password, pg.certs, pg
	return standby, nil
}

// copyPrimary copies the data of the primary, and makes it follow it (-R).
func (pg *Postgres) copyPrimary(ctx context.Context) error {
	return pg.run(ctx, "pg_basebackup", "-D", pg.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync",
		"-h", pg.primary.Host(), "-p", strconv.Itoa(pg.primary.Port()), "-U", pg.primary.User)
}

// Promote makes a standby a primary. It returns when it takes writes.
func (pg *Postgres) Promote(ctx context.Context) error {
	conn, err := pg.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var done bool
	if err := conn.QueryRow(ctx, "select pg_promote(wait => true)").Scan(&done); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	if !done {
		return errors.New("promote the standby: it did not finish in time")
	}
	return nil
}
