package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/health"
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
		{"28P01", "canary", health.ReasonAuth},
		{"28000", "canary", health.ReasonAuth},
		{"3D000", "canary", health.ReasonDatabaseMissing},
		{"42501", "canary", health.ReasonForbidden},
		{"53100", "canary", health.ReasonDiskFull},
		{"53200", "canary", health.ReasonError},
		{"53300", "canary", health.ReasonTooManyConnections},
		{"57P01", "canary", health.ReasonReset},
		{"57P02", "canary", health.ReasonReset},
		{"57P03", "canary", health.ReasonStartingUp},
		{"57P04", "canary", health.ReasonDatabaseMissing},
		{"08006", "canary", health.ReasonReset},
		{"0A000", "canary", health.ReasonProtocol},
		{"08P01", "canary", health.ReasonProtocol},
		{"XX000", "canary", health.ReasonError},
		{"canary", "canary", health.ReasonError},
		{"", "", health.ReasonError},
		// PgBouncer's, and those of the server behind it.
		{"08P01", `no such database: canary`, health.ReasonDatabaseMissing},
		{"08P01", `database "canary" does not exist`, health.ReasonDatabaseMissing},
		{"08P01", `role "canary" does not exist`, health.ReasonAuth},
		{"08P01", `password authentication failed for user "canary"`, health.ReasonAuth},
		{"08P01", `no pg_hba.conf entry for host "canary"`, health.ReasonAuth},
		{"08P01", `permission denied for database "canary"`, health.ReasonForbidden},
		{"08P01", `sorry, too many clients already`, health.ReasonTooManyConnections},
		{"08P01", `too many connections for role "canary"`, health.ReasonTooManyConnections},
		{"08P01", `no more connections allowed (max_client_conn)`, health.ReasonTooManyConnections},
		{"08P01", `the database system is starting up`, health.ReasonStartingUp},
		{"08P01", `query_wait_timeout`, health.ReasonTimeout},
		{"08P01", `client_login_timeout (server down)`, health.ReasonTimeout},
		{"08P01", `server login has been failing, try again later (server_login_retry)`, health.ReasonUnreachable},
		{"08P01", `server conn crashed?`, health.ReasonReset},
		{"08P01", `SSL required`, health.ReasonTLS},
		{"08P01", `unsupported startup parameter: canary`, health.ReasonProtocol},
		{"08P01", `client connections exceeded (max_db_client_connections)`, health.ReasonTooManyConnections},
		{"08P01", `client connections exceeded (max_user_client_connections)`, health.ReasonTooManyConnections},
		{"08P01", `login rejected`, health.ReasonAuth},
		{"08P01", `unix socket login rejected`, health.ReasonAuth},
		{"08P01", `"trust" authentication failed`, health.ReasonAuth},
		{"08P01", `certificate authentication failed`, health.ReasonAuth},
		{"08P01", `no authentication method is found`, health.ReasonAuth},
		{"08P01", `database "canary" is disabled`, health.ReasonError},
		{"08P01", `server shutting down`, health.ReasonStartingUp},
		{"08P01", `pooler is shutting down`, health.ReasonStartingUp},
		{"08P01", `admin forced disconnect`, health.ReasonReset},
		{"08P01", `server login failed: wrong password type`, health.ReasonUnreachable},
		{"08P01", `server login has been failing, cached error: connect failed (server_login_retry)`, health.ReasonUnreachable},
		{"08P01", `server login has been failing, cached error: FATAL: sorry, too many clients already (server_login_retry)`, health.ReasonTooManyConnections},
		{"08P01", `PQexec disallowed`, health.ReasonProtocol},
		{"08P01", `bouncer resources exhaustion`, health.ReasonError},
		// Supavisor's.
		{"XX000", `(EMAXCONN) max client connections reached, limit: 200`, health.ReasonTooManyConnections},
		{"XX000", `(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15`, health.ReasonTooManyConnections},
		{"XX000", `MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size`, health.ReasonTooManyConnections},
		{"XX000", `Max client connections reached`, health.ReasonTooManyConnections},
		{"XX000", `(EMAXPOOLSREACHED) max pools count reached`, health.ReasonTooManyConnections},
		{"XX000", `(ENOTFOUND) tenant/user canary.canary not found`, health.ReasonAuth},
		{"XX000", `Tenant or user not found`, health.ReasonAuth},
		{"XX000", `(EAUTHQUERY) user not found in the database`, health.ReasonAuth},
		{"XX000", `(EADDRNOTALLOWED) address not in tenant allow_list: canary`, health.ReasonAuth},
		{"XX000", `(ESSLREQUIRED) SSL connection is required for user: canary`, health.ReasonTLS},
		{"XX000", `(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 60000ms in Transaction mode`, health.ReasonTimeout},
		{"XX000", `(EAUTHQUERY) authentication query failed: connection to database not available`, health.ReasonUnreachable},
		{"XX000", `(EDBHANDLEREXITED) DbHandler exited. Check logs for more information`, health.ReasonReset},
		{"08006", `(EAUTHTIMEOUT) timeout while waiting for message`, health.ReasonTimeout},
		// pgcat's.
		{"58000", `No pool configured for database: "canary", user: "canary"`, health.ReasonDatabaseMissing},
		{"58000", `Pool down for database: "canary", user: "canary"`, health.ReasonUnreachable},
		{"58000", `could not get connection from the pool - AllServersDown`, health.ReasonUnreachable},
		{"58000", `pool statement timeout`, health.ReasonTimeout},
		{"58000", `terminating connection due to administrator command`, health.ReasonReset},
		{"58000", `error receiving data from server: SocketError("canary")`, health.ReasonReset},
		// Odyssey's.
		{"53300", `odyssey: c1: too many client tcp connections (global client_max)`, health.ReasonTooManyConnections},
		{"3D000", `odyssey: c1: route for 'canary.canary' is not found`, health.ReasonDatabaseMissing},
		{"28000", `odyssey: c1: TLS connection required`, health.ReasonTLS},
		{"08P01", `odyssey: c1: SSL is required`, health.ReasonTLS},
		{"08006", `odyssey: c1: failed to connect to remote server s1`, health.ReasonUnreachable},
		{"28P01", `odyssey: c1: host based authentication rejected`, health.ReasonAuth},
		// Those of Amazon's RDS Proxy, which documents no codes.
		{"28000", `This RDS Proxy requires TLS connections`, health.ReasonTLS},
		{"28000", `This RDS proxy has no credentials for the role canary. Check the credentials for this role and try again.`, health.ReasonAuth},
		{"28P01", `The password that was provided for the role canary is wrong.`, health.ReasonAuth},
		{"XX000", `Timed-out waiting to acquire database connection.`, health.ReasonTimeout},
		{"58000", `The maximum number of client connections to the proxy exceeded 100.`, health.ReasonTooManyConnections},
		{"XX000", `Rate of connection to proxy exceeded 100.`, health.ReasonTooManyConnections},
		{"0A000", `Feature not supported: RDS Proxy currently doesn't support the option canary.`, health.ReasonProtocol},
		// PgDog's.
		{"28000", `password for user "canary" and database "canary" is wrong, or the database does not exist`, health.ReasonAuth},
		{"58000", `connection pool for user "canary" and database "canary" is down`, health.ReasonUnreachable},
		{"58000", `pool is banned`, health.ReasonUnreachable},
		{"58000", `all replicas down`, health.ReasonUnreachable},
		{"58000", `checkout timeout`, health.ReasonTimeout},
		{"08004", `Clients must connect with TLS`, health.ReasonTLS},
		{"57P01", `PgDog is shutting down`, health.ReasonReset},
		// Pgpool-II's.
		{"53300", `Sorry, too many clients already`, health.ReasonTooManyConnections},
		{"08S01", `pgpool is not accepting any new connections`, health.ReasonUnreachable},
		{"XX000", `failed to create a backend connection`, health.ReasonUnreachable},
		{"XX000", `unable to read data from DB node 0`, health.ReasonReset},
		// pgagroal's.
		{"53300", `connection pool is full`, health.ReasonTooManyConnections},
		{"53300", `connection refused`, health.ReasonUnreachable},
		// Those of Neon's proxy, which documents no codes.
		{"XX000", `The endpoint has been disabled. Enable it using Neon API and retry.`, health.ReasonError},
		{"XX000", `Couldn't connect to compute node`, health.ReasonUnreachable},
		{"XX000", `The endpoint ID is not specified. Either upgrade the PostgreSQL client library (libpq) for SNI support`, health.ReasonAuth},
		{"XX000", `Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.`, health.ReasonTooManyConnections},
		{"XX000", `You have exceeded the limit of concurrently active endpoints`, health.ReasonUnreachable},
		{"53300", `too many tcp connections (global limit 10)`, health.ReasonTooManyConnections},
		{"08P01", `database removed`, health.ReasonDatabaseMissing},
		{"XX000", `connection is insecure (try using sslmode=require)`, health.ReasonTLS},
		// PgBouncer's again.
		{"08P01", `empty password returned by client`, health.ReasonAuth},
		{"08P01", `server DNS lookup failed`, health.ReasonUnreachable},
		{"08P01", `TLS client certificate required`, health.ReasonAuth},
		// Not a pooler's.
		{"28000", `connection requires a valid client certificate`, health.ReasonAuth},
		{"28000", `certificate authentication failed for user "canary"`, health.ReasonAuth},
		{"53300", `remaining connection slots are reserved for non-replication superuser connections`, health.ReasonTooManyConnections},
		{"55000", `database "canary" is not currently accepting connections`, health.ReasonError},
		{"22023", `database locale is incompatible: canary does not exist`, health.ReasonError},
	} {
		t.Run(c.code+" "+c.text, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, pgAnswering(t, "disable", refusing(c.code, c.text)))
			_, err := pgCheck(t, pgNew(pool, postgres.Options{}), pgPatience)
			switch message := pgFault(t, err, c.want, pool); {
			case message == "":
				t.Error("the message says nothing of what to look at")
			case strings.Contains(message, "statement") && c.code != "57014":
				t.Errorf("message = %q, though it is the login that was refused", message)
			}
		})
	}
}

// What Debian's PgBouncer says, as it says it. Its clients are our own connections.
func TestPostgresRefusedByPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	for name, c := range map[string]struct {
		settings map[string]string
		hba      string
		admin    string // on its console
		hold     string // a statement of another client's
		want     health.Reason
		message  string
	}{
		"no client slot":       {map[string]string{"max_client_conn": "1"}, "", "", "", health.ReasonTooManyConnections, "max_client_conn"},
		"disabled":             {nil, "", "DISABLE reims", "", health.ReasonError, "disabled"},
		"rejected":             {nil, "host reims all 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n", "", "", health.ReasonAuth, "refused"},
		"no server connection": {map[string]string{"default_pool_size": "1", "query_wait_timeout": "1"}, "", "", "BEGIN", health.ReasonTimeout, "pooler"},
		"no simple queries":    {map[string]string{"disable_pqexec": "1"}, "", "", "", health.ReasonProtocol, "disable_pqexec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := maps.Clone(c.settings)
			if c.hba != "" {
				file := filepath.Join(t.TempDir(), "hba")
				if err := os.WriteFile(file, []byte(c.hba), 0o644); err != nil {
					t.Fatal(err)
				}
				for d := filepath.Dir(file); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
					if err := os.Chmod(d, 0o755); err != nil { // PgBouncer runs as another user
						t.Fatal(err)
					}
				}
				settings = map[string]string{"auth_type": "hba", "auth_hba_file": file}
			}
			bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: settings})
			db := pgOpen(t, bouncer.Addr(), func(c *database.Config) { c.Password = checking.Password(pg.Password) })
			if c.admin != "" {
				config, err := pgx.ParseConfig(strings.Replace(bouncer.URL(), "/reims?", "/pgbouncer?", 1))
				if err != nil {
					t.Fatal(err)
				}
				pgHealthy(t, pgNew(db.Pool(), postgres.Options{})) // it learns of the database
				config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
				conn, err := pgx.ConnectConfig(t.Context(), config)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close(t.Context())
				if _, err := conn.Exec(t.Context(), c.admin); err != nil {
					t.Fatal(err)
				}
				db.Pool().Reset()
			}
			if c.hold != "" || c.settings["max_client_conn"] != "" {
				poll.Until(t, "another client", func() bool { // the launcher's own may just be leaving
					conn, err := pgx.Connect(t.Context(), bouncer.URL())
					if err != nil {
						return false
					}
					t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
					_, err = conn.Exec(t.Context(), cmp.Or(c.hold, "SELECT"))
					return err == nil
				})
			}
			_, err := pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
			if message := pgFault(t, err, c.want, db.Pool()); !strings.Contains(message, c.message) {
				t.Errorf("message = %q, want it to say %q", message, c.message)
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
	_, err := pgCheck(t, pgNew(pool, postgres.Options{}), pgPatience)
	pgFault(t, err, health.ReasonReset, pool)
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
	address := checking.Answering(t, func(c net.Conn) { checking.Flood(c, strings.Repeat("220 mail.example ESMTP\r\n", 1<<10)) })
	db := pgOpen(t, address, func(c *database.Config) { c.SSLMode = "disable" })
	_, err := pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
	var long *pgproto3.ExceededMaxBodyLenErr
	if pgFault(t, err, health.ReasonProtocol, db.Pool()); !errors.As(err, &long) {
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
	p := pgNew(db.Pool(), postgres.Options{})
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
		p.Redial()
	}

	_, err := pgCheck(t, p, pgPatience)
	if message := pgFault(t, err, health.ReasonAuth, db.Pool()); !strings.Contains(message, "DATABASE_PASSWORD_FILE") {
		t.Errorf("message = %q", message)
	}
	write("canary")
	_, err = pgCheck(t, p, pgPatience)
	pgFault(t, err, health.ReasonAuth, db.Pool())
	write(pg.Password)
	pgHealthy(t, p)

	if err := pg.SQL(t.Context(), "ALTER ROLE postgres PASSWORD 'rotated'"); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	_, err = pgCheck(t, p, pgPatience)
	pgFault(t, err, health.ReasonAuth, db.Pool())
	write("rotated")
	pgHealthy(t, p)
}

func TestPostgresThroughPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{Postgres: pg, Settings: map[string]string{"default_pool_size": "1"}})
	open := func(edit func(*database.Config)) *database.DB {
		return pgOpen(t, bouncer.Addr(), func(c *database.Config) {
			c.Password = checking.Password(pg.Password)
			edit(c)
		})
	}
	db := open(func(c *database.Config) { c.ConnectTimeout = 2 * pgTimeout })
	p := pgNew(db.Pool(), sampled)
	for range 3 {
		o := pgHealthy(t, p)
		pgWantApp(t, o, nil) // the server's connections are the pooler's
		pgWantNumber(t, o, "pool_active", 0)
	}

	for name, c := range map[string]struct {
		edit func(*database.Config)
		want health.Reason
	}{
		"wrong password":   {func(c *database.Config) { c.Password = checking.Password("canary") }, health.ReasonAuth},
		"unknown role":     {func(c *database.Config) { c.User = "canary" }, health.ReasonAuth},
		"unknown database": {func(c *database.Config) { c.Name = "canary" }, health.ReasonDatabaseMissing},
		"no TLS offered":   {func(c *database.Config) { c.SSLMode = "require" }, health.ReasonTLS},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(c.edit)
			_, err := pgCheck(t, pgNew(db.Pool(), postgres.Options{}), pgPatience)
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
		delete(seen, health.ReasonTimeout)
		delete(seen, health.ReasonUnreachable)
		delete(seen, health.ReasonReset)
		if len(seen) > 0 {
			t.Errorf("reasons = %s", fmt.Sprint(seen))
		}
		if err := pg.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "healthy again", func() bool {
			_, err := pgCheck(t, p, pgPatience)
			return err == nil
		})
	})
}
