package probe

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
	checkLogin    = "the login was refused: check DATABASE_USER and DATABASE_PASSWORD (or DATABASE_PASSWORD_FILE)"
	checkHBA      = "the login was refused: check DATABASE_USER, and that pg_hba.conf admits it from this address (with TLS, if it says so)"
	checkDatabase = "the server has no database of that name: check DATABASE_NAME"
	checkStart    = "the server is there and accepts no connections: it is starting, recovering or shutting down"
	checkSlots    = "no connection slot is free: max_connections, or the limit of the role or the database, is used up"
	checkPooler   = "the pooler answers, but it can't log in to its PostgreSQL: look at the server behind it and at the pooler's log"
)

// sqlstates maps SQLSTATEs, and classes of them (their first two characters).
// 53200, out of memory, is left to the rest: a server that can't find the memory
// for this statement can't serve, while the reason out_of_memory stands for a
// Redis that can.
var sqlstates = map[string]verdict{
	"08":            {health.Reset, "the server gave up the connection"},
	codeProtocol:    {health.Protocol, "the server or the pooler refused the protocol: look at its log"},
	"0A000":         {health.Protocol, "the server refused the protocol: is it PostgreSQL?"},
	classAuth:       {health.Auth, checkHBA},
	"28P01":         {health.Auth, checkLogin},
	"3D000":         {health.DatabaseMissing, checkDatabase},
	"42501":         {health.Forbidden, "the role lacks a right: grant it CONNECT on the database"},
	"53100":         {health.DiskFull, "the database server's disk is full"},
	"53300":         {health.TooManyConnections, checkSlots},
	codeLockTimeout: {health.Timeout, "the server gave up waiting for a lock, after lock_timeout: look at what holds locks on its catalog"},
	codeCanceled:    {health.Timeout, "the server cancelled the statement, which took longer than statement_timeout: look at its load, disk and locks"},
	"57P01":         {health.Reset, "the server closed the connection: it was shut down, or an administrator ended the session"},
	"57P02":         {health.Reset, "the server reset all connections: one of its processes crashed"},
	"57P03":         {health.StartingUp, checkStart},
	"57P04":         {health.DatabaseMissing, "the database was dropped"},
	"57P05":         {health.Reset, "the server closed the connection: idle_session_timeout"},
}

// poolerTexts tells PgBouncer's errors apart. All of them are 08P01, those of the
// server behind it that it passes on as well; its texts are never translated.
// The first that is contained counts.
var poolerTexts = []struct {
	text string
	verdict
}{
	{"authentication failed", verdict{health.Auth, checkLogin}},
	{"no such user", verdict{health.Auth, checkLogin}},
	{"pg_hba.conf", verdict{health.Auth, checkHBA}},
	{"no such database", verdict{health.DatabaseMissing, checkDatabase}},
	{"permission denied", verdict{health.Forbidden, "the role lacks a right: grant it CONNECT on the database"}},
	{"SSL required", verdict{health.TLS, "the pooler requires TLS: check DATABASE_SSLMODE"}},
	{"TLS connection required", verdict{health.TLS, "the pooler requires TLS: check DATABASE_SSLMODE"}},
	{"max_client_conn", verdict{health.TooManyConnections, "the pooler has no client slot free: max_client_conn is used up"}},
	{"too many clients", verdict{health.TooManyConnections, checkSlots}},
	{"too many connections", verdict{health.TooManyConnections, checkSlots}},
	{"connection slots are reserved", verdict{health.TooManyConnections, checkSlots}},
	{"role \"", verdict{health.Auth, checkHBA}},
	{"does not exist", verdict{health.DatabaseMissing, checkDatabase}},
	{"the database system is", verdict{health.StartingUp, checkStart}},
	{"startup parameter", verdict{health.Protocol, "the pooler refuses a startup parameter: look at its ignore_startup_parameters"}},
	{"timeout", verdict{health.Timeout, "the pooler had no server connection free in time: look at the server behind it and at the pool's size"}},
	{"server_login_retry", verdict{health.Unreachable, checkPooler}},
	{"cannot connect", verdict{health.Unreachable, checkPooler}},
	{"server login failed", verdict{health.Unreachable, checkPooler}},
	{"server conn crashed", verdict{health.Reset, "the pooler lost its connection to PostgreSQL"}},
	{"server closed", verdict{health.Reset, "the pooler lost its connection to PostgreSQL"}},
}

// serverFault classifies what the server, or a pooler in its name, answered.
func serverFault(server *pgconn.PgError, err error) *health.Fault {
	v := verdictOf(server)
	if isSQLSTATE(server.Code) {
		v.message = fmt.Sprintf("%s (SQLSTATE %s)", v.message, server.Code)
	}
	return &health.Fault{Reason: v.reason, Message: v.message, Err: err}
}

// isSQLSTATE keeps whatever else an impostor sends as a code out of a message.
func isSQLSTATE(code string) bool {
	return len(code) == 5 && strings.Trim(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func verdictOf(server *pgconn.PgError) verdict {
	if server.Code == codeProtocol {
		for _, t := range poolerTexts {
			if strings.Contains(server.Message, t.text) {
				return t.verdict
			}
		}
	}
	if v, ok := sqlstates[server.Code]; ok {
		return v
	}
	if v, ok := sqlstates[server.Code[:min(2, len(server.Code))]]; ok {
		return v
	}
	return verdict{health.Error, "the server refused the check's statement; its log says more"}
}
