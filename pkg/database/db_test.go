package database_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/poll"
)

func TestNotInitialised(t *testing.T) {
	t.Parallel()
	closed, err := database.Open(t.Context(), serverConfig(server))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := closed.Close(); err != nil {
			t.Error("close:", err)
		}
	}
	for name, db := range map[string]*database.DB{"nil": nil, "zero": {}, "closed": closed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			_, all := database.All[struct{}](ctx, db, "select")
			_, one := database.One[struct{}](ctx, db, "select")
			_, value := database.Value[int](ctx, db, "select 1")
			_, exec := database.Exec(ctx, db, "select 1")
			batch := &pgx.Batch{}
			batch.Queue("select 1")
			_, health := db.Health(ctx)
			for call, err := range map[string]error{
				"All": all, "One": one, "Value": value, "Exec": exec, "Health": health,
				"Batch":    database.Batch(ctx, db, batch),
				"WithConn": db.WithConn(ctx, func(*pgxpool.Conn) error { return nil }),
				"InTx":     db.InTx(ctx, pgx.TxOptions{}, func(pgx.Tx) error { return nil }),
			} {
				if !errors.Is(err, database.ErrNotInitialised) || !errors.Is(err, database.ErrDatabase) {
					t.Errorf("%s: got %v", call, err)
				}
			}
			if err := db.Close(); err != nil {
				t.Error("close:", err)
			}
		})
	}
}

// A connection that somebody holds does not hold up the end of the program.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), serverConfig(server))
	if err != nil {
		t.Fatal(err)
	}
	var took time.Duration
	err = db.WithConn(t.Context(), func(*pgxpool.Conn) error {
		start := time.Now()
		err := db.Close()
		took = time.Since(start)
		return err
	})
	_ = asError(t, err)
	if took < 1900*time.Millisecond || took > 20*time.Second {
		t.Errorf("closed after %v with %v, want an error after 2 s", took, err)
	}
	poll.Until(t, "all connections closed", func() bool { return db.Pool().Stat().TotalConns() == 0 })
}

func TestInTx(t *testing.T) {
	t.Parallel()
	db, err := copyOfEstate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	insert := func(q database.Querier, name string) error {
		_, err := database.Exec(t.Context(), q, "insert into properties (name, city) values ($1, 'Reno')", name)
		return err
	}
	exists := func(name string) bool {
		t.Helper()
		found, err := database.Value[bool](t.Context(), db, "select exists (select from properties where name = $1)", name)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	errOwn := errors.New("own")
	for _, tt := range []struct {
		name      string
		fn        func(ctx context.Context, cancel func(), tx pgx.Tx) error
		want      error
		committed bool
	}{
		{"commit", func(context.Context, func(), pgx.Tx) error { return nil }, nil, true},
		{"error", func(context.Context, func(), pgx.Tx) error { return errOwn }, errOwn, false},
		{"panic", func(context.Context, func(), pgx.Tx) error { panic(errOwn) }, errOwn, false},
		{"failed statement", func(_ context.Context, _ func(), tx pgx.Tx) error { return insert(tx, "Oak Court") }, database.ErrQuery, false},
		{"ignored failure", func(_ context.Context, _ func(), tx pgx.Tx) error { _ = insert(tx, "Oak Court"); return nil }, pgx.ErrTxCommitRollback, false},
		{"cancelled", func(ctx context.Context, cancel func(), _ pgx.Tx) error { cancel(); return ctx.Err() }, context.Canceled, false},
		{"cancelled before commit", func(_ context.Context, cancel func(), _ pgx.Tx) error { cancel(); return nil }, context.Canceled, false},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := recovered(func() error {
			return db.InTx(ctx, pgx.TxOptions{}, func(tx pgx.Tx) error {
				if err := insert(tx, tt.name); err != nil {
					return err
				}
				return tt.fn(ctx, cancel, tx)
			})
		})
		cancel()
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if got := exists(tt.name); got != tt.committed {
			t.Errorf("%s: committed is %v", tt.name, got)
		}
	}
	poll.Until(t, "all connections given back", func() bool { return db.Pool().Stat().AcquiredConns() == 0 })

	err = db.InTx(t.Context(), pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error { return insert(tx, "read-only") })
	if own := asError(t, err); own.Code != "25006" {
		t.Errorf("read-only: got %v", err)
	}
}

// recovered turns a panic into the error it was called with.
func recovered(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	return fn()
}

// Whatever way a query ends, its connection comes back.
func TestConnectionsComeBack(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.MaxConns = 1
	db := open(t, config)
	ctx := t.Context()
	readToEnd := func() error {
		rows, err := db.Query(ctx, "select name from properties")
		for err == nil && rows.Next() {
		}
		return err
	}
	closeEarly := func() error {
		rows, err := db.Query(ctx, "select name from properties")
		if err == nil {
			rows.Next()
			rows.Close()
		}
		return err
	}
	fail := func() error {
		_, err := database.Value[int](ctx, db, "select name from properties")
		return ignore(err)
	}
	batch := func() error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("select nothing")
		return ignore(database.Batch(ctx, db, b))
	}
	for range 3 {
		for i, use := range []func() error{readToEnd, closeEarly, fail, batch} {
			if err := use(); err != nil {
				t.Fatalf("use %d: %v", i, err)
			}
		}
	}
	if n := db.Pool().Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections still lent", n)
	}
}

// ignore wants an error.
func ignore(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return nil
}

// A rotated password counts from the next dial on; connections that are open stay.
func TestPasswordRotated(t *testing.T) {
	t.Parallel()
	role := func(password string) {
		t.Helper()
		if err := server.SQL(t.Context(), fmt.Sprintf("alter role rotated password '%s'", password)); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.SQL(t.Context(), "create role rotated login"); err != nil {
		t.Fatal(err)
	}
	role("first")
	var secret atomic.Value
	secret.Store("first")
	config := serverConfig(server)
	config.User = "rotated"
	config.Password = func(context.Context) (string, error) { return secret.Load().(string), nil }
	db := open(t, config)

	steps := []struct {
		name string
		do   func()
		good bool
	}{
		{"first password", func() {}, true},
		{"rotated on the server, connection open", func() { role("second") }, true},
		{"rotated on the server, fresh connection", func() { db.Pool().Reset() }, false},
		{"rotated in the secret", func() { secret.Store("second") }, true},
	}
	for _, s := range steps {
		s.do()
		_, err := db.Health(t.Context())
		if (err == nil) != s.good {
			t.Errorf("%s: got %v", s.name, err)
		}
	}
}
