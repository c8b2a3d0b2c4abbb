package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver that goose uses
	"github.com/pressly/goose/v3"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
)

// snapshot applies the migrations to the empty database, one after the other, and
// returns what they create.
func snapshot(ctx context.Context, url string) ([]byte, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)

	var s migrate.Snapshot
	for {
		step, err := provider.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			break
		}
		if err != nil {
			return nil, err
		}
		now, err := read(ctx, conn)
		if err != nil {
			return nil, err
		}
		s.Advance(step.Source.Version, now.Catalog)
	}
	if err := remake(ctx, conn, &s); err != nil {
		return nil, err
	}
	return s.Encode()
}

// read returns all there is in the schema but goose's own table.
func read(ctx context.Context, conn *pgx.Conn) (*migrate.Database, error) {
	if err := refuseUnknown(ctx, conn); err != nil {
		return nil, err
	}
	var tables, functions []string
	err := conn.QueryRow(ctx, `
		SELECT ARRAY(SELECT quote_ident(relname) FROM pg_class
		              WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname <> 'goose_db_version'
		              ORDER BY relname),
		       ARRAY(SELECT oid::regprocedure::text FROM pg_proc
		              WHERE pronamespace = current_schema()::regnamespace
		              ORDER BY 1)`).Scan(&tables, &functions)
	if err != nil {
		return nil, fmt.Errorf("list what the migrations created: %w", err)
	}
	return migrate.ReadDatabase(ctx, conn, tables, functions)
}

// refuseUnknown fails when the migrations make something that a snapshot could not
// tell of: a view, a sequence, a type.
func refuseUnknown(ctx context.Context, conn *pgx.Conn) error {
	var unknown []string
	err := conn.QueryRow(ctx, `
		SELECT ARRAY(SELECT relname::text FROM pg_class
		              WHERE relnamespace = current_schema()::regnamespace AND relkind NOT IN ('r', 'i')
		                AND relname <> 'goose_db_version_id_seq'
		             UNION ALL
		             SELECT typname::text FROM pg_type
		              WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('d', 'e', 'r'))`).Scan(&unknown)
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("the migrations create %q, of which a snapshot cannot tell: extend pkg/migrate/catalog.sql", unknown)
	}
	return err
}

// remake drops the constraints and indexes and makes them again from the server's
// own words, as restoring a dump does, and notes where those change by it.
func remake(ctx context.Context, conn *pgx.Conn, s *migrate.Snapshot) error {
	whole, err := read(ctx, conn)
	if err != nil {
		return err
	}
	bare := whole.Catalog
	bare.Constraints, bare.Indexes = nil, nil
	drop := bare.Compare(&whole.Catalog, whole.Schema)
	create := whole.Compare(&bare, whole.Schema)
	for _, d := range append(drop, create...) {
		for _, statement := range d.SQL {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("run %q: %w", statement, err)
			}
		}
	}
	again, err := read(ctx, conn)
	if err != nil {
		return err
	}
	s.Restored(again.Catalog)
	return nil
}
