package servers

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

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
	conn, err := pgx.Connect(ctx, pg.url("postgres"))
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
