package servers

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/test/servers/install"
)

// PgBouncerOptions say how to start a PgBouncer.
type PgBouncerOptions struct {
	Options
	// Postgres is the server behind it. Required; it may be down.
	Postgres *Postgres
	// Settings are lines of pgbouncer.ini, such as "default_pool_size": "1".
	Settings map[string]string
}

// PgBouncer pools connections to a PostgreSQL, in transaction mode.
type PgBouncer struct {
	*Process
	postgres *Postgres
	settings map[string]string
}

// NewPgBouncer prepares a PgBouncer. As root it runs as the user postgres.
func NewPgBouncer(o PgBouncerOptions) (*PgBouncer, error) {
	var err error
	if o.Dir, err = openFolder(o.Dir); err != nil {
		return nil, fmt.Errorf("set up pgbouncer: %w", err)
	}
	p, err := newProcess("pgbouncer", o.Options)
	if err != nil {
		return nil, err
	}
	b := &PgBouncer{Process: p, postgres: o.Postgres, settings: o.Settings}
	b.path, b.prepare, b.ready = "/usr/sbin/pgbouncer", b.configure, b.ping
	return b, nil
}

func (b *PgBouncer) configure(ctx context.Context) error {
	if err := install.Packages(ctx, b.progress(), "pgbouncer"); err != nil {
		return err
	}
	var err error
	if b.account, err = unprivileged(); err != nil {
		return err
	}
	ini, users := filepath.Join(b.dir, "pgbouncer.ini"), filepath.Join(b.dir, "users.txt")
	b.args = []string{ini}
	if err := b.give(b.dir); err != nil {
		return err
	}
	if err := b.writeFile(users, fmt.Sprintf("%q %q\n", b.postgres.User, b.postgres.Password)); err != nil {
		return err
	}
	return b.writeFile(ini, b.render(users))
}

func (b *PgBouncer) render(users string) string {
	settings := map[string]string{
		"listen_addr":     b.Host(),
		"listen_port":     strconv.Itoa(b.port),
		"unix_socket_dir": "",
		"pool_mode":       "transaction",
		"auth_type":       "scram-sha-256",
		"auth_file":       users,
		"admin_users":     b.postgres.User,
		// The default of 15 s between logins would hide a server that is back.
		"server_login_retry": "1",
	}
	maps.Copy(settings, b.settings)
	var ini strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%d\n[pgbouncer]\n", b.postgres.Host(), b.postgres.Port())
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&ini, "%s = %s\n", name, settings[name])
	}
	return ini.String()
}

// ping asks PgBouncer's own console, which answers without PostgreSQL.
func (b *PgBouncer) ping(ctx context.Context) error {
	config, err := pgx.ParseConfig(b.url("pgbouncer"))
	if err != nil {
		return err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Endpoint returns the database's address without the password.
func (b *PgBouncer) Endpoint() string {
	return fmt.Sprintf("postgres://%s@%s/%s", b.postgres.User, b.Addr(), b.postgres.Database)
}

// URL returns a postgres:// address of the database, password included.
func (b *PgBouncer) URL() string { return b.url(b.postgres.Database) }

func (b *PgBouncer) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(b.postgres.User, b.postgres.Password),
		Host: b.Addr(), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Env returns the variables by which the product reaches the database through
// this server.
func (b *PgBouncer) Env() []Var {
	vars := b.postgres.Env()
	vars[0].Value, vars[1].Value = b.Host(), strconv.Itoa(b.Port())
	return vars[:5] // TLS ends at PostgreSQL
}
