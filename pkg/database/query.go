package database

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Querier runs statements: a *[DB], the connection of [DB.WithConn], the transaction of
// [DB.InTx], or a connection, pool or transaction of pgx.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

var _ = []Querier{(*DB)(nil), (*pgxpool.Pool)(nil), (*pgxpool.Conn)(nil), (*pgx.Conn)(nil), pgx.Tx(nil)}

// All returns every row. T is a struct. Each column is stored in the field with the same
// name or with the tag `db:"name"`. A column without a field, or a field without a column,
// is an error. If there is no row, it returns an empty slice.
func All[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap("query", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return all, wrap("query", err)
}

// One returns the only row, mapped as by [All]. The error is [pgx.ErrNoRows] if there is no
// row, and [pgx.ErrTooManyRows] if there are several.
func One[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	return one(ctx, q, pgx.RowToStructByName[T], sql, args)
}

// Value returns the only column of the only row. For a value that may be NULL, T must be a
// pointer.
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

// Exec runs a statement and returns the number of affected rows.
func Exec(ctx context.Context, q Querier, sql string, args ...any) (int64, error) {
	tag, err := q.Exec(ctx, sql, args...)
	return tag.RowsAffected(), wrap("exec", err)
}

// Batch sends the statements in one round trip and calls the callback of each with its
// result. They are one transaction: all take effect, or none.
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

// Query runs a query on a connection of the pool, which is released when the rows are read
// to the end or closed. If the error is not nil, the rows are. See also [All], [One] and
// [Value].
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

// SendBatch sends statements on a connection of the pool, which is released when the
// results are closed. See also [Batch].
func (db *DB) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	conn, err := db.acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(batch, err)
	}
	return &connBatch{BatchResults: conn.SendBatch(ctx, batch), conn: conn}
}

// connRows releases its connection when it is closed.
type connRows struct {
	pgx.Rows
	conn *pgxpool.Conn
}

// Close closes the rows and releases the connection.
func (r *connRows) Close() {
	r.Rows.Close()
	r.conn.Release()
}

// Next closes the rows after the last one, as the method of pgx does.
func (r *connRows) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

// connBatch releases its connection when it is closed.
type connBatch struct {
	pgx.BatchResults
	conn *pgxpool.Conn
}

// Close reads the remaining results and releases the connection.
func (b *connBatch) Close() error {
	defer b.conn.Release()
	return b.BatchResults.Close()
}
