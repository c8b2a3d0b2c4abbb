package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/health"
)

// verdict is what an error of the server means, and what to look at.
type verdict struct {
	reason  health.Reason
	message string
}

const (
	classAuth       = "28"
	codeProtocol    = "08P01"
	codeCanceled    = "57014"
	codeLockTimeout = "55P03"
)

const (
	checkLogin = "the login was refused: check {USER} and {PASSWORD} (or {PASSWORD}_FILE)"
	checkHBA   = "the login was refused: check {USER}, and that pg_hba.conf admits it from this address (with TLS, if it says so)"
	// The server's certificate is another matter, see dialFault.
	checkCertificate = "the login was refused: the server wants a client certificate, check {SSLCERT} and {SSLKEY}"
	checkCertName    = "the login was refused: the client certificate in {SSLCERT} is not one of {USER}"
	checkDatabase    = "the server has no database of that name: check {NAME}"
	checkStart       = "the server is there and accepts no connections: it is starting, recovering or shutting down"
	checkSlots       = "no connection slot is free: max_connections, or the limit of the role or the database, is used up"
	checkUser        = "the login was refused: the pooler knows no such user or tenant, check {USER} and {NAME}"
	checkPooler      = "the pooler answers, but it can't log in to its PostgreSQL: look at the server behind it and at the pooler's log"
)

// sqlstates maps SQLSTATEs, and classes of them (their first two characters).
// 53200, out of memory, is left to the rest: a server that can't find the memory
// for this statement can't serve, while the reason out_of_memory stands for a
// Redis that can.
var sqlstates = map[string]verdict{
	"08":            {health.ReasonReset, "the server gave up the connection"},
	codeProtocol:    {health.ReasonProtocol, "the server or the pooler refused the protocol: look at its log"},
	"0A000":         {health.ReasonProtocol, "the server refused the protocol: is it PostgreSQL?"},
	classAuth:       {health.ReasonAuth, checkHBA},
	"28P01":         {health.ReasonAuth, checkLogin},
	"3D000":         {health.ReasonDatabaseMissing, checkDatabase},
	"42501":         {health.ReasonForbidden, checkConnect},
	"53100":         {health.ReasonDiskFull, "the database server's disk is full"},
	"55000":         {health.ReasonError, "the login was refused: the database takes no connections, look at ALLOW_CONNECTIONS in ALTER DATABASE, and whether a DROP DATABASE was interrupted"},
	"53300":         {health.ReasonTooManyConnections, checkSlots},
	codeLockTimeout: {health.ReasonTimeout, "the server gave up waiting for a lock, after lock_timeout: look at what holds locks on its catalog"},
	codeCanceled:    {health.ReasonTimeout, "the server cancelled the statement, which took longer than statement_timeout: look at its load, disk and locks"},
	"57P01":         {health.ReasonReset, "the server closed the connection: it was shut down, or an administrator ended the session"},
	"57P02":         {health.ReasonReset, "the server reset all connections: one of its processes crashed"},
	"57P03":         {health.ReasonStartingUp, checkStart},
	"57P04":         {health.ReasonDatabaseMissing, "the database was dropped"},
	"57P05":         {health.ReasonReset, "the server closed the connection: idle_session_timeout"},
}

// poolerTexts tells the errors of poolers apart, which say many things with one code,
// those of the server behind them too; their texts are never translated. The first
// that is contained counts. They are from the sources of PgBouncer 1.18 to 1.25
// (client.c, objects.c, janitor.c, server.c: 08P01), pgcat 1.2 (messages.rs: 58000),
// Supavisor 2 (lib/supavisor/errors, XX000 and a code of its own in the text) and
// Odyssey 1.4 (frontend.c, auth.c: the codes of PostgreSQL), PgDog (error_response.rs: 28000, 58000,
// 08004), pgagroal (message.c: 53300) and Pgpool-II 4 (child.c: 08S01, XX000), and from the
// troubleshooting pages of Amazon's RDS Proxy and of Neon, which do not tell their codes.
var poolerTexts = []struct {
	text string
	verdict
}{
	{"requires TLS", verdict{health.ReasonTLS, poolerTLS}},                     // RDS Proxy
	{"only with SSL connections", verdict{health.ReasonTLS, poolerTLS}},        // RDS Proxy
	{"SSL connection is required", verdict{health.ReasonTLS, poolerTLS}},       // Supavisor
	{"SSL required", verdict{health.ReasonTLS, poolerTLS}},                     // PgBouncer
	{"SSL is required", verdict{health.ReasonTLS, poolerTLS}},                  // Odyssey
	{"TLS connection required", verdict{health.ReasonTLS, poolerTLS}},          // PgBouncer, Odyssey
	{"must connect with TLS", verdict{health.ReasonTLS, poolerTLS}},            // PgDog
	{"connection is insecure", verdict{health.ReasonTLS, poolerTLS}},           // Neon
	{"client certificate", verdict{health.ReasonAuth, checkCertificate}},       // the server's, PgBouncer
	{"certificate name mismatch", verdict{health.ReasonAuth, checkCertName}},   // PgBouncer
	{"certificate authentication", verdict{health.ReasonAuth, checkCertName}},  // the server's, PgBouncer
	{"is wrong, or the database", verdict{health.ReasonAuth, checkLogin}},      // PgDog
	{"IAM authentication", verdict{health.ReasonAuth, checkLogin}},             // RDS Proxy
	{"password that was provided", verdict{health.ReasonAuth, checkLogin}},     // RDS Proxy
	{"authentication failed", verdict{health.ReasonAuth, checkLogin}},          // all
	{"authentication rejected", verdict{health.ReasonAuth, checkHBA}},          // Odyssey
	{"login rejected", verdict{health.ReasonAuth, checkHBA}},                   // PgBouncer
	{"no authentication method", verdict{health.ReasonAuth, checkHBA}},         // PgBouncer
	{"pg_hba.conf", verdict{health.ReasonAuth, checkHBA}},                      // the server's
	{"allow_list", verdict{health.ReasonAuth, checkHBA}},                       // Supavisor
	{"user blocked", verdict{health.ReasonAuth, checkHBA}},                     // Odyssey
	{"empty password", verdict{health.ReasonAuth, checkLogin}},                 // PgBouncer
	{"no such user", verdict{health.ReasonAuth, checkLogin}},                   // PgBouncer
	{"incorrect user", verdict{health.ReasonAuth, checkLogin}},                 // Odyssey
	{"has no credentials for the role", verdict{health.ReasonAuth, checkUser}}, // RDS Proxy
	{"user not found", verdict{health.ReasonAuth, checkUser}},                  // Supavisor 1
	{"(ENOTFOUND)", verdict{health.ReasonAuth, checkUser}},                     // Supavisor 2
	{"(ENOIDENTIFIER)", verdict{health.ReasonAuth, checkUser}},                 // Supavisor
	{"(EINVALIDUSERINFO)", verdict{health.ReasonAuth, checkUser}},              // Supavisor
	{"No pool configured", verdict{health.ReasonDatabaseMissing, checkRoute}},  // pgcat
	{"is not found", verdict{health.ReasonDatabaseMissing, checkRoute}},        // Odyssey
	{"no such database", verdict{health.ReasonDatabaseMissing, checkDatabase}}, // PgBouncer
	{"database removed", verdict{health.ReasonDatabaseMissing, checkDatabase}}, // PgBouncer
	{"endpoint ID is not specified", verdict{health.ReasonAuth, checkUser}},    // Neon
	{"is disabled", verdict{health.ReasonError, poolerDisabled}},               // PgBouncer
	{"has been disabled", verdict{health.ReasonError, poolerDisabled}},         // Neon
	{"tenant is banned", verdict{health.ReasonError, poolerDisabled}},          // Supavisor
	{"permission denied", verdict{health.ReasonForbidden, checkConnect}},       // the server's
	{"client connections exceeded", verdict{health.ReasonTooManyConnections, "the pooler has no client slot free: max_db_client_connections or max_user_client_connections is used up"}},
	{"max_client_conn", verdict{health.ReasonTooManyConnections, "the pooler has no client slot free: max_client_conn is used up"}},
	{"max client connections reached", verdict{health.ReasonTooManyConnections, poolerSlots}},        // Supavisor 2
	{"Max client connections reached", verdict{health.ReasonTooManyConnections, poolerSlots}},        // Supavisor 1
	{"max clients", verdict{health.ReasonTooManyConnections, poolerSlots}},                           // Supavisor 2
	{"MaxClientsInSessionMode", verdict{health.ReasonTooManyConnections, poolerSlots}},               // Supavisor 1
	{"max pools count reached", verdict{health.ReasonTooManyConnections, poolerSlots}},               // Supavisor
	{"maximum number of client connections", verdict{health.ReasonTooManyConnections, poolerSlots}},  // RDS Proxy
	{"Rate of connection to proxy exceeded", verdict{health.ReasonTooManyConnections, poolerSlots}},  // RDS Proxy
	{"too many competing requests", verdict{health.ReasonTooManyConnections, poolerSlots}},           // RDS Proxy
	{"Too many database connection attempts", verdict{health.ReasonTooManyConnections, poolerSlots}}, // Neon
	{"concurrently active endpoints", verdict{health.ReasonUnreachable, checkPooler}},                // Neon
	{"too many tcp connections", verdict{health.ReasonTooManyConnections, poolerSlots}},              // Odyssey
	{"too many client tcp connections", verdict{health.ReasonTooManyConnections, poolerSlots}},       // Odyssey
	{"too many clients", verdict{health.ReasonTooManyConnections, checkSlots}},                       // the server's
	{"too many connections", verdict{health.ReasonTooManyConnections, checkSlots}},                   // the server's
	{"connection slots are reserved", verdict{health.ReasonTooManyConnections, checkSlots}},          // the server's
	{"shutting down", verdict{health.ReasonStartingUp, checkStart}},                                  // PgBouncer, the server's
	{"the database system is", verdict{health.ReasonStartingUp, checkStart}},                         // the server's
	{"administrator command", verdict{health.ReasonReset, "the pooler closed the connection: it shuts down, or an administrator ended the session"}},
	{"admin forced disconnect", verdict{health.ReasonReset, "the pooler closed the connection: it shuts down, or an administrator ended the session"}},
	{"role \"", verdict{health.ReasonAuth, checkHBA}},
	{"does not exist", verdict{health.ReasonDatabaseMissing, checkDatabase}},
	{"startup parameter", verdict{health.ReasonProtocol, poolerParameter}},          // PgBouncer
	{"doesn't support the option", verdict{health.ReasonProtocol, poolerParameter}}, // RDS Proxy
	{"PQexec disallowed", verdict{health.ReasonProtocol, "the pooler refuses simple queries, and the check is one: set its disable_pqexec to 0"}},
	{"timeout", verdict{health.ReasonTimeout, poolerWait}},                       // PgBouncer, pgcat, Supavisor
	{"Timed-out waiting", verdict{health.ReasonTimeout, poolerWait}},             // RDS Proxy
	{"unable to check out", verdict{health.ReasonTimeout, poolerWait}},           // Supavisor
	{"Unable to check out", verdict{health.ReasonTimeout, poolerWait}},           // Supavisor 1
	{"server_login_retry", verdict{health.ReasonUnreachable, checkPooler}},       // PgBouncer
	{"server login", verdict{health.ReasonUnreachable, checkPooler}},             // PgBouncer
	{"DNS lookup failed", verdict{health.ReasonUnreachable, checkPooler}},        // PgBouncer
	{"cannot connect", verdict{health.ReasonUnreachable, checkPooler}},           // PgBouncer
	{"failed to connect", verdict{health.ReasonUnreachable, checkPooler}},        // Odyssey
	{"remote server connection", verdict{health.ReasonUnreachable, checkPooler}}, // Odyssey
	{"suitable host", verdict{health.ReasonUnreachable, checkPooler}},            // Odyssey
	{"Pool down", verdict{health.ReasonUnreachable, checkPooler}},                // pgcat
	{"connection from the pool", verdict{health.ReasonUnreachable, checkPooler}}, // pgcat
	{"checkout failure limit", verdict{health.ReasonUnreachable, checkPooler}},   // pgcat
	{"connection pool for user", verdict{health.ReasonUnreachable, checkPooler}}, // PgDog
	{"pool is banned", verdict{health.ReasonUnreachable, checkPooler}},           // PgDog
	{"pool is shut down", verdict{health.ReasonUnreachable, checkPooler}},        // PgDog
	{"all replicas down", verdict{health.ReasonUnreachable, checkPooler}},        // PgDog
	{"no primary", verdict{health.ReasonUnreachable, checkPooler}},               // PgDog
	{"connection refused", verdict{health.ReasonUnreachable, checkPooler}},       // pgagroal
	{"not accepting any new", verdict{health.ReasonUnreachable, checkPooler}},    // Pgpool-II
	{"backend connection", verdict{health.ReasonUnreachable, checkPooler}},       // Pgpool-II
	{"connect to compute node", verdict{health.ReasonUnreachable, checkPooler}},  // Neon
	{"(ECIRCUITBREAKER)", verdict{health.ReasonUnreachable, checkPooler}},        // Supavisor
	{"(ECHECKOUTRETRIES)", verdict{health.ReasonUnreachable, checkPooler}},       // Supavisor
	{"(EAUTHQUERY)", verdict{health.ReasonUnreachable, checkPooler}},             // Supavisor
	{"(EAUTHSECRETS)", verdict{health.ReasonUnreachable, checkPooler}},           // Supavisor
	{"server conn crashed", verdict{health.ReasonReset, poolerLost}},             // PgBouncer
	{"server closed", verdict{health.ReasonReset, poolerLost}},                   // PgBouncer
	{"receiving data from server", verdict{health.ReasonReset, poolerLost}},      // pgcat
	{"data from DB node", verdict{health.ReasonReset, poolerLost}},               // Pgpool-II
	{"DbHandler exited", verdict{health.ReasonReset, poolerLost}},                // Supavisor
	{"remote server read/write error", verdict{health.ReasonReset, poolerLost}},  // Odyssey
	{"bouncer config error", verdict{health.ReasonError, "the pooler's own configuration is wrong: look at its log"}},
	{"resources exhaustion", verdict{health.ReasonError, "the pooler has no memory left: look at its log"}},
}

const (
	checkConnect    = "the role lacks a right: grant it CONNECT on the database"
	checkRoute      = "the pooler has no database of that name for that user: check {NAME} and {USER}, and the pooler's configuration"
	poolerTLS       = "the pooler requires TLS: check {SSLMODE}"
	poolerSlots     = "the pooler has no client slot free: look at its limits on connections, and at who holds them"
	poolerWait      = "the pooler had no server connection free in time: look at the server behind it and at the pool's size"
	poolerLost      = "the pooler lost its connection to PostgreSQL"
	poolerDisabled  = "the login was refused: an administrator disabled this database in the pooler"
	poolerParameter = "the pooler refuses a startup parameter: look at its ignore_startup_parameters"
)

// loginFault classifies what the server, or a pooler in its name, answered to a login.
func loginFault(server *pgconn.PgError, err error) *health.Fault {
	return serverFault(server, err, "the server refused the login; its log says more")
}

// serverFault classifies what the server, or a pooler in its name, answered. Of what
// is not known, otherwise tells.
func serverFault(server *pgconn.PgError, err error, otherwise string) *health.Fault {
	v, ok := verdictOf(server)
	if !ok {
		v = verdict{health.ReasonError, otherwise}
	}
	if isSQLSTATE(server.Code) {
		v.message = fmt.Sprintf("%s (SQLSTATE %s)", v.message, server.Code)
	}
	return &health.Fault{Reason: v.reason, Message: v.message, Err: err}
}

// isSQLSTATE keeps whatever else an impostor sends as a code out of a message.
func isSQLSTATE(code string) bool {
	return len(code) == 5 && strings.Trim(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// vague reports whether poolers use the code for whatever they have to say.
func vague(code string) bool {
	switch code {
	case codeProtocol, "08004", "08006", "08S01", "0A000", "28000", "53300", "58000", "XX000":
		return true
	default:
		return false
	}
}

func verdictOf(server *pgconn.PgError) (verdict, bool) {
	if vague(server.Code) {
		for _, t := range poolerTexts {
			if strings.Contains(server.Message, t.text) {
				return t.verdict, true
			}
		}
	}
	if v, ok := sqlstates[server.Code]; ok {
		return v, true
	}
	v, ok := sqlstates[server.Code[:min(2, len(server.Code))]]
	return v, ok
}
