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

// closeTimeout is how long [DB.Close] waits for connections that are in use.
const closeTimeout = 2 * time.Second

// DB is a pool of connections to one database. It is safe for concurrent use. The
// methods of a nil or closed DB return an error that matches [ErrNotInitialised].
type DB struct {
	pool   *pgxpool.Pool
	target string
	closed atomic.Bool
}

// Open makes a pool and returns at once. It opens MinConns connections in the background;
// if the server cannot be reached, the first use of a connection fails. Only the values of
// ctx are used, not its end. An error means that config is not valid. The caller closes
// the DB.
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

// Close closes the pool. It waits at most two seconds for connections that are in use.
// Then it returns an error, and each of these is closed when its user releases it.
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

// Pool returns the pgx pool, for what this package does not wrap. Its errors are pgx's.
// Do not close it: db does. It is nil if db is nil.
func (db *DB) Pool() *pgxpool.Pool {
	if db == nil {
		return nil
	}
	return db.pool
}

// WithConn calls fn with a connection, for what needs one session, such as COPY, LISTEN
// and advisory locks. It returns the error of fn unchanged.
func (db *DB) WithConn(ctx context.Context, fn func(conn *pgxpool.Conn) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(conn)
}

// InTx runs fn in a transaction. If fn returns nil, it commits. If fn returns an error or
// panics, it rolls back; it returns that error unchanged. The zero options are the
// server's defaults. A transaction that the server aborted (SQLSTATE 40001, 40P01) is not
// repeated; the caller may do so.
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

// Health is the result of a health check.
type Health struct {
	Latency  time.Duration // of one statement, with the wait for its connection
	Database string
	Version  string // "PostgreSQL 15.2"

	// The connections of the pool after the check released its own. Connections that are
	// being opened count in PoolSize only.
	PoolSize, PoolFree, PoolActive int32
}

// Health queries the server's version. An error means that the database cannot be used
// now.
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
