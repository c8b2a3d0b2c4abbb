package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
	"github.com/reims/reims-health/test/servers"
)

// refusing speaks PostgreSQL's protocol just so far as to refuse each login with
// that error: for what a real server says only when its disk is full.
func refusing(code, text string) func(net.Conn) {
	return func(c net.Conn) {
		backend := pgproto3.NewBackend(c, c)
		if _, err := backend.ReceiveStartupMessage(); err != nil {
			return
		}
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: text})
		if backend.Flush() == nil {
			silent(c)
		}
	}
}

func TestPostgresSQLSTATEs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, text string
		want       health.Reason
	}{
		{"28P01", "canary", health.Auth},
		{"28000", "canary", health.Auth},
		{"3D000", "canary", health.DatabaseMissing},
		{"42501", "canary", health.Forbidden},
		{"53100", "canary", health.DiskFull},
		{"53200", "canary", health.Error},
		{"53300", "canary", health.TooManyConnections},
		{"57P01", "canary", health.Reset},
		{"57P02", "canary", health.Reset},
		{"57P03", "canary", health.StartingUp},
		{"57P04", "canary", health.DatabaseMissing},
		{"08006", "canary", health.Reset},
		{"0A000", "canary", health.Protocol},
		{"08P01", "canary", health.Protocol},
		{"XX000", "canary", health.Error},
		{"canary", "canary", health.Error},
		{"", "", health.Error},
		// PgBouncer's, and those of the server behind it.
		{"08P01", `no such database: canary`, health.DatabaseMissing},
		{"08P01", `database "canary" does not exist`, health.DatabaseMissing},
		{"08P01", `role "canary" does not exist`, health.Auth},
		{"08P01", `password authentication failed for user "canary"`, health.Auth},
		{"08P01", `no pg_hba.conf entry for host "canary"`, health.Auth},
		{"08P01", `permission denied for database "canary"`, health.Forbidden},
		{"08P01", `sorry, too many clients already`, health.TooManyConnections},
		{"08P01", `too many connections for role "canary"`, health.TooManyConnections},
		{"08P01", `no more connections allowed (max_client_conn)`, health.TooManyConnections},
		{"08P01", `the database system is starting up`, health.StartingUp},
		{"08P01", `query_wait_timeout`, health.Timeout},
		{"08P01", `client_login_timeout (server down)`, health.Timeout},
		{"08P01", `server login has been failing, try again later (server_login_retry)`, health.Unreachable},
		{"08P01", `server conn crashed?`, health.Reset},
		{"08P01", `SSL required`, health.TLS},
		{"08P01", `unsupported startup parameter: canary`, health.Protocol},
	} {
		t.Run(c.code+" "+c.text, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, pgAnswering(t, "disable", refusing(c.code, c.text)))
			_, err := pgCheck(t, probe.NewPostgres(pool, probe.PostgresOptions{}), pgPatience)
			if message := pgFault(t, err, c.want, pool); message == "" {
				t.Error("the message says nothing of what to look at")
			}
		})
	}
}

// A server that lets us in and hangs up on the statement is tried once, not twice:
// the connection was fresh.
func TestPostgresFreshConnectionDied(t *testing.T) {
	t.Parallel()
	var logins atomic.Int64
	pool := pgPool(t, pgAnswering(t, "disable", func(c net.Conn) {
		backend := pgproto3.NewBackend(c, c)
		if _, err := backend.ReceiveStartupMessage(); err != nil {
			return
		}
		logins.Add(1)
		backend.Send(&pgproto3.AuthenticationOk{})
		backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if backend.Flush() != nil {
			return
		}
		if _, err := backend.Receive(); err != nil {
			t.Error(err)
		}
	}))
	_, err := pgCheck(t, probe.NewPostgres(pool, probe.PostgresOptions{}), pgPatience)
	pgFault(t, err, health.Reset, pool)
	if n := logins.Load(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

// The pool as cmd opens it: the password is read when a connection is dialled, and
// a pooler refuses the startup parameter that bounds statements.
func pgOpen(t *testing.T, address string, edit func(*database.Config)) *database.DB {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	config := database.Config{
		Host: host, Port: uint16(number), MinConns: -1, MaxConns: 2, SkipPing: true, MaxMessage: 1 << 20,
		ConnectTimeout: pgPatience, CommandTimeout: pgPatience, ApplicationName: "reims-health",
	}
	edit(&config)
	db, err := database.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// To the driver, the text announces a message of 842 MB.
func TestPostgresEndlessGarbage(t *testing.T) {
	t.Parallel()
	address := answering(t, func(c net.Conn) { flood(c, strings.Repeat("220 mail.example ESMTP\r\n", 1<<10)) })
	db := pgOpen(t, address, func(c *database.Config) { c.SSLMode = "disable" })
	_, err := pgCheck(t, probe.NewPostgres(db.Pool(), probe.PostgresOptions{}), pgPatience)
	var long *pgproto3.ExceededMaxBodyLenErr
	if pgFault(t, err, health.Protocol, db.Pool()); !errors.As(err, &long) {
		t.Errorf("got %v, want it to be the message's length", err)
	}
}

func TestPostgresPasswordFile(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	file := filepath.Join(t.TempDir(), "password")
	db := pgOpen(t, pg.Addr(), func(c *database.Config) {
		c.Password = func(context.Context) (string, error) {
			content, err := os.ReadFile(file)
			return string(content), err
		}
	})
	p := probe.NewPostgres(db.Pool(), probe.PostgresOptions{})
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		p.Redial()
	}

	_, err := pgCheck(t, p, pgPatience)
	if message := pgFault(t, err, health.Auth, db.Pool()); !strings.Contains(message, "DATABASE_PASSWORD_FILE") {
		t.Errorf("message = %q", message)
	}
	write("canary")
	_, err = pgCheck(t, p, pgPatience)
	pgFault(t, err, health.Auth, db.Pool())
	write(pg.Password)
	pgHealthy(t, p)

	if err := pg.SQL(t.Context(), "ALTER ROLE postgres PASSWORD 'rotated'"); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	_, err = pgCheck(t, p, pgPatience)
	pgFault(t, err, health.Auth, db.Pool())
	write("rotated")
	pgHealthy(t, p)
}

func TestPostgresThroughPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"default_pool_size": "1"}})
	open := func(edit func(*database.Config)) *database.DB {
		return pgOpen(t, bouncer.Addr(), func(c *database.Config) {
			c.Password = password(pg.Password)
			edit(c)
		})
	}
	db := open(func(c *database.Config) { c.ConnectTimeout = 2 * pgTimeout })
	p := probe.NewPostgres(db.Pool(), sampled)
	for range 3 {
		o := pgHealthy(t, p)
		pgWantApp(t, o, nil) // the server's connections are the pooler's
		pgWantNumber(t, o, "pool_active", 0)
	}

	for name, c := range map[string]struct {
		edit func(*database.Config)
		want health.Reason
	}{
		"wrong password":   {func(c *database.Config) { c.Password = password("canary") }, health.Auth},
		"unknown role":     {func(c *database.Config) { c.User = "canary" }, health.Auth},
		"unknown database": {func(c *database.Config) { c.Name = "canary" }, health.DatabaseMissing},
		"no TLS offered":   {func(c *database.Config) { c.SSLMode = "require" }, health.TLS},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(c.edit)
			_, err := pgCheck(t, probe.NewPostgres(db.Pool(), probe.PostgresOptions{}), pgPatience)
			pgFault(t, err, c.want, db.Pool())
		})
	}

	t.Run("PostgreSQL restarts behind it", func(t *testing.T) {
		if err := errors.Join(pg.Kill(), pg.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		pgHealthy(t, p)
	})
	t.Run("PostgreSQL stopped behind it", func(t *testing.T) {
		if err := pg.Stop(); err != nil {
			t.Fatal(err)
		}
		seen := map[health.Reason]bool{}
		for range 4 {
			_, err := pgCheck(t, p, pgTimeout)
			var fault *health.Fault
			if !errors.As(err, &fault) {
				t.Fatal("no fault while PostgreSQL is down")
			}
			seen[fault.Reason] = true
			p.Redial()
		}
		// A pooler holds its clients back at first, and refuses them later on.
		delete(seen, health.Timeout)
		delete(seen, health.Unreachable)
		delete(seen, health.Reset)
		if len(seen) > 0 {
			t.Errorf("reasons = %s", fmt.Sprint(seen))
		}
		if err := pg.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "healthy again", func() bool {
			_, err := pgCheck(t, p, pgPatience)
			return err == nil
		})
	})
}
