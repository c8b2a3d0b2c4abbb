package database

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Querier runs statements: a *[DB], the connection that [DB.WithConn] lends, the
// transaction of [DB.InTx], or anything of pgx's.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

var _ = []Querier{(*DB)(nil), (*pgxpool.Pool)(nil), (*pgxpool.Conn)(nil), (*pgx.Conn)(nil), pgx.Tx(nil)}

// All returns every row. T is a struct; a column goes to the field of the same
// name, or with the tag `db:"name"`, and either without the other is an error.
// No row gives an empty slice.
func All[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap("query", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return all, wrap("query", err)
}

// One returns the only row, mapped as [All] does. No row gives [pgx.ErrNoRows],
// several [pgx.ErrTooManyRows].
func One[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	return one(ctx, q, pgx.RowToStructByName[T], sql, args)
}

// Value returns the only column of the only row. A value that may be NULL needs a
// pointer for T.
func Value[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	return one(ctx, q, pgx.RowTo[T], sql, args)
}

func one[T any](ctx context.Context, q Querier, fn pgx.RowToFunc[T], sql string, args []any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, wrap("query", err)
	}
	row, err := pgx.CollectExactlyOneRow(rows, fn)
	return row, wrap("query", err)
}

// Exec runs a statement and returns how many rows it touched.
func Exec(ctx context.Context, q Querier, sql string, args ...any) (int64, error) {
	tag, err := q.Exec(ctx, sql, args...)
	return tag.RowsAffected(), wrap("exec", err)
}

// Batch sends the statements in one round trip and hands each result to the
// callback it was queued with. They are one transaction: all take effect, or none.
func Batch(ctx context.Context, q Querier, batch *pgx.Batch) error {
	return wrap("batch", q.SendBatch(ctx, batch).Close())
}

// Exec runs a statement on a connection of the pool. See also the function [Exec].
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	tag, err := conn.Exec(ctx, sql, args...)
	return tag, wrap("exec", err)
}

// Query runs a query on a connection of the pool, which is given back when the
// rows are read to the end or closed. With an error the rows are nil. See also
// [All], [One] and [Value].
func (db *DB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := db.acquire(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, wrap("query", err)
	}
	return &connRows{Rows: rows, conn: conn}, nil
}

// SendBatch sends statements on a connection of the pool, which is given back when
// the results are closed. See also [Batch].
func (db *DB) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	conn, err := db.acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(batch, err)
	}
	return &connBatch{BatchResults: conn.SendBatch(ctx, batch), conn: conn}
}

// connRows gives its connection back at the end.
type connRows struct {
	pgx.Rows
	conn *pgxpool.Conn
}

// Close ends the query.
func (r *connRows) Close() {
	r.Rows.Close()
	r.conn.Release()
}

// Next closes the rows behind the last one, as those of pgx do.
func (r *connRows) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

// connBatch gives its connection back at the end.
type connBatch struct {
	pgx.BatchResults
	conn *pgxpool.Conn
}

// Close reads what is left of the results.
func (b *connBatch) Close() error {
	defer b.conn.Release()
	return b.BatchResults.Close()
}
