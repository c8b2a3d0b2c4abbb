package database_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

const canary = "c4nary-s3cret"

func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	absent := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := absent.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*database.Config)
		code   string
		text   string
	}{
		{"server absent", func(c *database.Config) { *c = serverConfig(absent) }, "", "connection refused"},
		{"unknown host", func(c *database.Config) { c.Host = "nowhere.invalid" }, "", "nowhere.invalid"},
		{"wrong password", func(c *database.Config) { c.Password = fixed(canary) }, "28P01", "check the user and the password"},
		{"unknown database", func(c *database.Config) { c.Name = "nowhere" }, "3D000", `database "nowhere" does not exist`},
		{"TLS refused", func(c *database.Config) { c.Environment = "production" }, "", "server refused TLS connection"},
		{"no password", func(c *database.Config) {
			c.Password = func(context.Context) (string, error) { return canary, errors.New("the secret is not mounted") }
		}, "28000", "the secret is not mounted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := serverConfig(server)
			config.ConnectTimeout = 5 * time.Second
			tt.change(&config)
			_, err := database.Connect(t.Context(), config)
			if !errors.Is(err, database.ErrConnection) || !errors.Is(err, database.ErrDatabase) || errors.Is(err, database.ErrQuery) {
				t.Fatalf("got %v, want a connection error", err)
			}
			text := err.Error()
			if !strings.HasPrefix(text, "connect to ") || !strings.Contains(text, tt.text) || strings.Contains(text, "\n") {
				t.Errorf("got %q, want %q in it", text, tt.text)
			}
			if strings.Contains(text, canary) {
				t.Errorf("the password shows in %q", text)
			}
			if own := asError(t, err); own.SQLState() != tt.code {
				t.Errorf("SQLSTATE %q, want %q", own.SQLState(), tt.code)
			}
		})
	}
}

// Open neither waits for a server nor fails without one; the pool works once it is there.
func TestOpenWithoutServer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	db := open(t, serverConfig(pg))
	if _, err := db.Health(t.Context()); !errors.Is(err, database.ErrConnection) {
		t.Errorf("got %v, want a connection error", err)
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server that goes away under a connection is no failed query.
func TestConnectionLost(t *testing.T) {
	t.Parallel()
	db := open(t, serverConfig(server))
	err := db.WithConn(t.Context(), func(conn *pgxpool.Conn) error {
		if err := server.SQL(t.Context(), "select pg_terminate_backend($1)", conn.Conn().PgConn().PID()); err != nil {
			return err
		}
		_, err := database.Value[int](t.Context(), conn, "select 1")
		return err
	})
	if !errors.Is(err, database.ErrConnection) {
		t.Errorf("got %v, want a connection error", err)
	}
}

func TestQueryErrors(t *testing.T) {
	t.Parallel()
	db := open(t, serverConfig(server))
	one := func(sql string, args ...any) error {
		_, err := database.Value[string](t.Context(), db, sql, args...)
		return err
	}
	for _, tt := range []struct {
		name string
		err  error
		is   error
		code string
		text string
	}{
		{"table", one("select 1 from nowhere"), nil, "42P01", `query: ERROR: relation "nowhere" does not exist (SQLSTATE 42P01)`},
		{"syntax", one("selekt 1"), nil, "42601", `query: ERROR: syntax error at or near "selekt" (SQLSTATE 42601)`},
		{"no rows", one("select name from properties where false"), pgx.ErrNoRows, "", "query: no rows in result set"},
		{"no rows, of database/sql", one("select name from properties where false"), sql.ErrNoRows, "", ""},
		{"rows", one("select name from properties"), pgx.ErrTooManyRows, "", "query: too many rows in result set"},
		{"arguments", one("select $1::text", canary, canary), nil, "08P01", ""},
		{"a value the server refuses", one("select id::text from properties where id = $1", canary), nil, "22P02", "withheld"},
		{"a value that is a name", one("select $1::regclass::text", canary), nil, "42P01", "withheld"},
		{"a type that pgx refuses", one("select $1::text", struct{ A string }{canary}), nil, "", "args[0]"},
		{"NULL", one("select null::text"), nil, "", "cannot scan NULL into *string"},
		{"a message that quotes", one("select set_config('work_mem', $1, false)", canary), nil, "22023", "withheld"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !errors.Is(tt.err, database.ErrQuery) || !errors.Is(tt.err, database.ErrDatabase) {
				t.Fatalf("got %v, want a query error", tt.err)
			}
			if tt.is != nil && !errors.Is(tt.err, tt.is) {
				t.Errorf("%v does not match %v", tt.err, tt.is)
			}
			if text := tt.err.Error(); !strings.Contains(text, tt.text) || strings.Contains(text, canary) {
				t.Errorf("got %q, want %q in it and no argument", text, tt.text)
			}
			if own := asError(t, tt.err); own.Code != tt.code {
				t.Errorf("SQLSTATE %q, want %q", own.Code, tt.code)
			}
		})
	}
}

func TestCommandTimeout(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.CommandTimeout = 100 * time.Millisecond
	db := open(t, config)
	sleep := func(q database.Querier) error {
		_, err := database.Exec(t.Context(), q, "select pg_sleep($1)", 30)
		return err
	}
	for name, err := range map[string]error{
		"pool":       sleep(db),
		"connection": db.WithConn(t.Context(), func(conn *pgxpool.Conn) error { return sleep(conn) }),
		"transaction": db.InTx(t.Context(), pgx.TxOptions{}, func(tx pgx.Tx) error {
			return sleep(tx)
		}),
		"batch": func() error {
			batch := &pgx.Batch{}
			batch.Queue("select pg_sleep($1)", 30)
			return database.Batch(t.Context(), db, batch)
		}(),
	} {
		if own := asError(t, err); !own.Timeout() || !errors.Is(err, database.ErrQuery) {
			t.Errorf("%s: got %v, want a timeout", name, err)
		}
	}
	poll.Until(t, "answers again", func() bool {
		_, err := db.Health(t.Context())
		return err == nil
	})
}

// A frozen server stops nothing by itself, nor does it answer a dial.
func TestFrozenServer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	config := serverConfig(pg)
	config.CommandTimeout, config.ConnectTimeout = 500*time.Millisecond, 1500*time.Millisecond
	db := open(t, config)
	batch := func(q database.Querier) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		return database.Batch(t.Context(), q, b)
	}
	value := func(q database.Querier) error {
		_, err := database.Value[int](t.Context(), q, "select 1")
		return err
	}
	answers := func() bool { return value(db) == nil }
	poll.Until(t, "answers", answers)
	for _, frozen := range []func(database.Querier) error{batch, value} {
		err := db.WithConn(t.Context(), func(conn *pgxpool.Conn) error {
			if err := pg.Freeze(); err != nil {
				return err
			}
			return frozen(conn)
		})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, database.ErrQuery) {
			t.Errorf("got %v, want the command timeout", err)
		}
		if err := value(db); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, database.ErrConnection) {
			t.Errorf("got %v, want the connect timeout", err)
		}
		if err := pg.Thaw(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "answers again", answers)
	}
}

// The server stops a statement by itself when its client is gone.
func TestServerKnowsCommandTimeout(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.CommandTimeout = 1500 * time.Millisecond
	got, err := database.Value[string](t.Context(), open(t, config), "show statement_timeout")
	if err != nil || got != "1500ms" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A context that ends earlier than the command timeout counts.
func TestContextEndsEarlier(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := database.Exec(ctx, open(t, serverConfig(server)), "select pg_sleep($1)", 4)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.MaxConns, config.ConnectTimeout = 1, time.Second
	db := open(t, config)
	err := db.WithConn(t.Context(), func(*pgxpool.Conn) error {
		_, err := db.Health(t.Context())
		return err
	})
	if own := asError(t, err); !own.Timeout() || !errors.Is(err, database.ErrConnection) {
		t.Errorf("got %v, want a connection error for want of time", err)
	}
}

func asError(t *testing.T, err error) *database.Error {
	t.Helper()
	own, ok := errors.AsType[*database.Error](err)
	if !ok {
		t.Fatalf("%v is no *database.Error", err)
	}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok && server.Code != own.Code {
		t.Errorf("SQLSTATE %q, and %q of the cause", own.Code, server.Code)
	}
	return own
}
