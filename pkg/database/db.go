package database

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// closeTimeout is how long [DB.Close] waits for connections to come back.
const closeTimeout = 2 * time.Second

// DB is a pool of connections to one database. It is safe for concurrent use. The
// methods of a nil or closed DB return an error that matches [ErrNotInitialised].
type DB struct {
	pool   *pgxpool.Pool
	target string
	closed atomic.Bool
}

// Open makes a pool and returns at once: whether the server is there shows when a
// connection is first used. MinConns connections are dialled in the background. Of
// ctx only the values count. An error means that config contradicts itself. The
// caller closes the DB.
func Open(ctx context.Context, config Config) (*DB, error) {
	config = config.withDefaults()
	op := "open a pool for " + config.target()
	if err := config.validate(); err != nil {
		return nil, newError(op, nil, err)
	}
	pc, err := config.poolConfig()
	if err != nil {
		return nil, newError(op, nil, err)
	}
	d := &dialer{config: config}
	pc.BeforeConnect, pc.AfterConnect = d.beforeConnect, d.afterConnect
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, newError(op, nil, err)
	}
	return &DB{pool: pool, target: config.target()}, nil
}

// Connect opens a pool and waits for a first connection, for ConnectTimeout at
// most. Without one the pool is closed again and the error matches [ErrConnection].
func Connect(ctx context.Context, config Config) (*DB, error) {
	db, err := Open(ctx, config)
	if err != nil {
		return nil, err
	}
	conn, err := db.acquire(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	conn.Release()
	return db, nil
}

// Close closes the pool. It waits at most two seconds for connections that are in
// use; then it returns an error and the rest closes by itself as they come back.
// Closing a DB again, or a nil one, does nothing.
func (db *DB) Close() error {
	if db == nil || db.pool == nil || db.closed.Swap(true) {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.pool.Close()
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return newError("close the pool for "+db.target, nil, errors.New("connections are still in use after 2 s"))
	}
}

// Pool returns the pool itself, for what this package does not wrap; its errors
// are pgx's. It belongs to db. It is nil where db is.
func (db *DB) Pool() *pgxpool.Pool {
	if db == nil {
		return nil
	}
	return db.pool
}

// WithConn lends fn a connection until it returns, for what needs one session:
// COPY, LISTEN, advisory locks. What fn returns is returned as it is.
func (db *DB) WithConn(ctx context.Context, fn func(conn *pgxpool.Conn) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(conn)
}

// InTx runs fn in a transaction: committed when fn returns nil, rolled back when
// it returns an error, which is then returned as it is, or panics. The zero
// options are the server's defaults. A transaction that the server gave up
// (SQLSTATE 40001, 40P01) is not repeated; the caller may.
func (db *DB) InTx(ctx context.Context, options pgx.TxOptions, fn func(tx pgx.Tx) error) error {
	return db.WithConn(ctx, func(conn *pgxpool.Conn) error {
		var inner error
		err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
			inner = fn(tx)
			return inner
		})
		if inner != nil {
			return inner
		}
		return wrap("transaction", err)
	})
}

func (db *DB) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if db == nil || db.pool == nil {
		return nil, errNotInitialised()
	}
	conn, err := db.pool.Acquire(ctx)
	switch own := (*Error)(nil); {
	case err == nil:
		return conn, nil
	case db.closed.Load():
		return nil, errNotInitialised()
	case errors.As(err, &own):
		return nil, err
	default:
		return nil, newError("connect to "+db.target, ErrConnection, err)
	}
}

func errNotInitialised() error {
	return newError("use the database", ErrNotInitialised, errors.New("the pool was not opened, or is closed: call Open or Connect first"))
}

// Health is what a health check saw.
type Health struct {
	Latency  time.Duration // of one statement, with the wait for its connection
	Database string
	Version  string // "PostgreSQL 15.2"

	// The pool's connections after the check gave its own back. Those being dialled
	// count in PoolSize alone.
	PoolSize, PoolFree, PoolActive int32
}

// Health asks the server for its version. An error means that a program could not
// work with the database now.
func (db *DB) Health(ctx context.Context) (Health, error) {
	type server struct{ Database, Version string }
	start := time.Now()
	s, err := One[server](ctx, db, `select current_database() as database, current_setting('server_version') as version`)
	if err != nil {
		return Health{}, err
	}
	latency := time.Since(start)
	stat := db.pool.Stat()
	number, _, _ := strings.Cut(s.Version, " ") // of "15.14 (Debian 15.14-0+deb12u1)"
	return Health{
		Latency:    latency,
		Database:   s.Database,
		Version:    "PostgreSQL " + number,
		PoolSize:   stat.TotalConns(),
		PoolFree:   stat.IdleConns(),
		PoolActive: stat.AcquiredConns(),
	}, nil
}
