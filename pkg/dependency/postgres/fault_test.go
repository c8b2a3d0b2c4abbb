package postgres_test

import (
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	shut := pgRole(t, pg, "shut", "")
	full := pgRole(t, pg, "full", "CONNECTION LIMIT 0")
	for _, statement := range []string{"CREATE DATABASE private", "REVOKE CONNECT ON DATABASE private FROM PUBLIC"} {
		if err := pg.SQL(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	closed := checking.Listen(t)
	closed.Close()
	address := func(edit func(*url.URL)) string { return pgAddress(t, pg, edit) }

	for name, c := range map[string]struct {
		address string
		want    health.Reason
	}{
		"wrong password":   {address(func(u *url.URL) { u.User = url.UserPassword("postgres", "canary") }), health.ReasonAuth},
		"unknown role":     {address(func(u *url.URL) { u.User = url.UserPassword("canary", "canary") }), health.ReasonAuth},
		"unknown database": {address(func(u *url.URL) { u.Path = "canary" }), health.ReasonDatabaseMissing},
		"no right":         {strings.Replace(shut, "/reims?", "/private?", 1), health.ReasonForbidden},
		"role's limit":     {full, health.ReasonTooManyConnections},
		"unknown host":     {address(func(u *url.URL) { u.Host = "x.invalid:5432" }), health.ReasonDNS},
		"closed port":      {address(func(u *url.URL) { u.Host = closed.Addr().String() }), health.ReasonRefused},
		"no TLS offered":   {address(func(u *url.URL) { u.RawQuery = "sslmode=require" }), health.ReasonTLS},
		"TLS preferred, wrong password": {address(func(u *url.URL) {
			u.User, u.RawQuery = url.UserPassword("postgres", "canary"), "sslmode=prefer"
		}), health.ReasonAuth},
		"silent":                 {pgAnswering(t, "disable", silent), health.ReasonTimeout},
		"garbage":                {pgAnswering(t, "disable", checking.Saying("HTTP/1.1 400 Bad Request\r\n\r\n")), health.ReasonProtocol},
		"garbage, TLS preferred": {pgAnswering(t, "prefer", checking.Saying("-ERR unknown command\r\n")), health.ReasonProtocol},
		"hangs up":               {pgAnswering(t, "disable", func(net.Conn) {}), health.ReasonReset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, c.address)
			timeout := pgPatience
			if c.want == health.ReasonTimeout {
				timeout = pgTimeout
				pool = pgPool(t, c.address, pgImpatient)
			}
			o, err := pgCheck(t, pgNew(pool, postgres.Options{Database: "reims"}), timeout)
			message := pgFault(t, err, c.want, pool)
			if message == "" && c.want != health.ReasonReset {
				t.Error("the message says nothing of what to look at")
			}
			pgWantNumber(t, o, "pool_free", 0)
			if len(o.Values) != 5 {
				t.Errorf("measures = %v, want the pool's, the database's name and the endpoint only", o.Values)
			}
		})
	}
}

func TestPostgresUntrustedCertificate(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{TLS: true, HBA: []string{"hostssl all all 127.0.0.1/32 scram-sha-256"}})
	for name, c := range map[string]struct {
		query string
		want  health.Reason
	}{
		"verified":                 {"sslmode=verify-full&sslrootcert=" + url.QueryEscape(pg.CAFile()), ""},
		"of an unknown authority":  {"sslmode=verify-full&sslrootcert=system", health.ReasonTLS},
		"preferred, not verified":  {"sslmode=prefer", ""},
		"in clear, refused by HBA": {"sslmode=disable", health.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, pgAddress(t, pg, func(u *url.URL) { u.RawQuery = c.query }))
			p := pgNew(pool, postgres.Options{})
			if c.want == "" {
				pgHealthy(t, p)
				return
			}
			_, err := pgCheck(t, p, pgPatience)
			pgFault(t, err, c.want, pool)
		})
	}
}

func TestPostgresFrozenAndThawed(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := pgPool(t, pg.URL(), pgImpatient)
	p := pgNew(pool, postgres.Options{})
	pgHealthy(t, p)
	pgWarm(t, pool, 2)
	if err := pg.Freeze(); err != nil {
		t.Fatal(err)
	}
	// Two checks lose both connections, which hold their slots while the driver waits
	// for the server to close them: that is no exhausted pool.
	for range 4 {
		_, err := pgCheck(t, p, pgTimeout)
		pgFault(t, err, health.ReasonTimeout, pool)
	}
	if err := pg.Thaw(); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	pgHealthy(t, p)
}

// pgWarm makes the pool hold n idle connections.
func pgWarm(t *testing.T, pool *pgxpool.Pool, n int) {
	t.Helper()
	for range n {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
}

func TestPostgresPoolExhausted(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := pgPool(t, pg.URL())
	p := pgNew(pool, postgres.Options{})
	first, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Release()
	pgHealthy(t, p)
	second, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o, err := pgCheck(t, p, pgTimeout)
	pgFault(t, err, health.ReasonPoolExhausted, pool)
	pgWantNumber(t, o, "pool_active", 2)
	second.Release()
	pgHealthy(t, p)
}

func TestPostgresOutOfConnections(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{
		Settings: map[string]string{"max_connections": "6", "superuser_reserved_connections": "3"},
	})
	address := pgRole(t, pg, "app", "")
	holding := pgPool(t, address)
	filling := pgPool(t, address)
	for _, pool := range []*pgxpool.Pool{holding, filling, filling} {
		poll.Until(t, "a free slot", func() bool {
			conn, err := pool.Acquire(t.Context())
			if err == nil && pool == filling {
				t.Cleanup(conn.Release)
			} else if err == nil {
				conn.Release()
			}
			return err == nil
		})
	}

	pgWantUsed(t, pgNew(holding, postgres.Options{}), 3)
	without := pgPool(t, address)
	_, err := pgCheck(t, pgNew(without, postgres.Options{}), pgPatience)
	pgFault(t, err, health.ReasonTooManyConnections, without)
}

// The check waits for no lock, so only a server process that does not run makes it
// hang: here one that is stopped.
func TestPostgresStatementHangs(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	pool := pgPool(t, pg.URL(), pgImpatient)
	p := pgNew(pool, postgres.Options{})
	pgHealthy(t, p)
	var pid int
	if err := pool.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := pgCheck(t, p, pgTimeout)
	if message := pgFault(t, err, health.ReasonTimeout, pool); !strings.Contains(message, "connected") {
		t.Errorf("message = %q", message)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	pgHealthy(t, p)
}

// What a server says to a statement after its login, where a real one can't be made to.
func TestPostgresStatementRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		want          health.Reason
	}{
		{"57014", "statement_timeout", health.ReasonTimeout},
		{"55P03", "lock_timeout", health.ReasonTimeout},
		{"XX000", "refused the check's statement", health.ReasonError},
	} {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, pgAnswering(t, "disable", func(conn net.Conn) {
				backend := pgproto3.NewBackend(conn, conn)
				if _, err := backend.ReceiveStartupMessage(); err != nil {
					return
				}
				backend.Send(&pgproto3.AuthenticationOk{})
				backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
				if backend.Flush() != nil {
					return
				}
				if _, err := backend.Receive(); err != nil {
					return
				}
				backend.Send(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: c.code, Message: "canary"})
				backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
				if backend.Flush() == nil {
					silent(conn)
				}
			}))
			_, err := pgCheck(t, pgNew(pool, pgAll), pgPatience)
			if message := pgFault(t, err, c.want, pool); !strings.Contains(message, c.message) {
				t.Errorf("message = %q, want it to say %q", message, c.message)
			}
		})
	}
}

// A server in an orderly shutdown that waits for a client refuses logins as one
// that starts does: 57P03.
func TestPostgresShuttingDown(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	client := pgPool(t, pg.URL())
	pgWarm(t, client, 1)
	if err := syscall.Kill(pg.Instance().PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	pool := pgPool(t, pg.URL())
	p := pgNew(pool, postgres.Options{})
	poll.Until(t, "the shutdown begins", func() bool {
		p.Redial()
		_, err := pgCheck(t, p, pgPatience)
		return err != nil
	})
	_, err := pgCheck(t, p, pgPatience)
	pgFault(t, err, health.ReasonStartingUp, pool)
}

func TestPostgresStandby(t *testing.T) {
	t.Parallel()
	primary := servers.RunPostgres(t, servers.PostgresOptions{})
	standby := servers.RunStandby(t, primary)
	pool := pgPool(t, standby.URL())
	p := pgNew(pool, postgres.Options{})
	_, err := pgCheck(t, p, pgPatience)
	if message := pgFault(t, err, health.ReasonReadOnly, pool); !strings.Contains(message, "standby") {
		t.Errorf("message = %q", message)
	}
	pgHealthy(t, pgNew(pool, postgres.Options{AllowReplica: true}))

	// PostgreSQL lifts read-only from a session that lives through the promotion.
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	pgHealthy(t, p)
}

// Not parallel: it counts what belongs to the whole process.
func TestPostgresFailuresLeaveNothingBehind(t *testing.T) {
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	p := pgNew(pgPool(t, pg.URL()), postgres.Options{})
	wrong := pgAddress(t, pg, func(u *url.URL) { u.User = url.UserPassword("postgres", "canary") })
	failing := []*postgres.Checker{
		pgNew(pgPool(t, wrong), postgres.Options{}),
		pgNew(pgPool(t, pgAnswering(t, "disable", silent), pgImpatient), postgres.Options{}),
	}
	pgHealthy(t, p)
	checking.LeaksNothing(t, func() {
		for _, f := range failing {
			if _, err := pgCheck(t, f, pgTimeout/50); err == nil {
				t.Error("a check that should have failed did not")
			}
		}
	})
	pgWantUsed(t, p, 1)
}
