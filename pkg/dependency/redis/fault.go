package redis

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// refusals holds what a Redis answers in the place of PONG, by its beginning.
var refusals = []struct {
	prefix string
	fault  health.Fault
}{
	{"LOADING", health.Fault{Reason: health.ReasonStartingUp, Message: "Redis is loading its data into memory"}},
	{"NOAUTH", health.Fault{Reason: health.ReasonAuth, Message: "Redis asks for a password: set {PASSWORD}"}},
	{"WRONGPASS", health.Fault{Reason: health.ReasonAuth, Message: "Redis refused the login: see {USERNAME} and {PASSWORD}"}},
	{"invalid username-password pair", health.Fault{Reason: health.ReasonAuth, Message: "Redis refused the login: see {USERNAME} and {PASSWORD}"}},
	{"operation not permitted", health.Fault{Reason: health.ReasonAuth, Message: "Redis asks for a password: set {PASSWORD}"}},
	{"invalid password", health.Fault{Reason: health.ReasonAuth, Message: "Redis refused the login: see {PASSWORD}"}},
	{"Client sent AUTH, but no password is set", health.Fault{Reason: health.ReasonAuth, Message: "Redis has no password, but {PASSWORD} is set"}},
	{"AUTH <password> called without any password", health.Fault{Reason: health.ReasonAuth, Message: "Redis has no password, but {PASSWORD} is set"}},
	{"wrong number of arguments for 'auth'", health.Fault{Reason: health.ReasonAuth, Message: "this Redis has no users, as before Redis 6: leave {USERNAME} empty"}},
	{"DENIED", health.Fault{Reason: health.ReasonAuth, Message: "Redis is in protected mode: it has no password and refuses other hosts"}},
	{"NOPERM", health.Fault{Reason: health.ReasonForbidden, Message: "the Redis user may not run PING: grant +ping, and +info for the figures"}},
	{"max number of clients", health.Fault{Reason: health.ReasonTooManyConnections, Message: "Redis has reached its maxclients"}},
	{"DB index is out of range", health.Fault{Reason: health.ReasonDatabaseMissing, Message: "Redis has no database of the number in {DB}"}},
	{"SELECT is not allowed in cluster mode", health.Fault{
		Reason:  health.ReasonDatabaseMissing,
		Message: "this Redis is a node of a Redis Cluster, which has database 0 only: leave {DB} at 0",
	}},
	{"CLUSTERDOWN", health.Fault{Reason: ReasonClusterDown}},
	{"MASTERDOWN", health.Fault{
		Reason:  health.ReasonError,
		Message: "this Redis is a replica that has lost its master, and answers nothing until the master is back (replica-serve-stale-data is off)",
	}},
	{"NOREPLICAS", health.Fault{
		Reason: health.ReasonReadOnly, Severity: health.SeverityUnproven,
		Message: "Redis refuses writes because it has fewer good replicas than min-replicas-to-write: see its replicas",
	}},
	{"READONLY", health.Fault{
		Reason: health.ReasonReadOnly, Severity: health.SeverityUnproven,
		Message: "this Redis is a replica and accepts no writes",
	}},
	{"MISCONF", health.Fault{
		Reason: health.ReasonReadOnly, Severity: health.SeverityUnproven,
		Message: "Redis refuses writes because it cannot save to its disk: see its disk and its log",
	}},
	{"BUSY", health.Fault{Reason: health.ReasonError, Message: "Redis is busy with a script, function or module command that does not end"}},
	{"unknown command", health.Fault{
		Reason:  health.ReasonError,
		Message: "what answers does not know PING, or SELECT for {DB}: it may be a proxy or a Sentinel, or the command was renamed",
	}},
}

// serviceWords are those of a server that HOST, PORT and TLS describe.
func serviceWords() []string {
	return []string{"{ADDRESS}", "{HOST} and {PORT}", "{TLS_IS_OFF}", "{TLS} is off", "{TLS_IS_ON}", "{TLS} asks for it"}
}

// reword puts the words into the message of a fault.
func reword(err error, words *strings.Replacer) error {
	fault, ok := errors.AsType[*health.Fault](err)
	if !ok {
		return err
	}
	said := *fault
	said.Message = words.Replace(said.Message)
	return &said
}

// fault classifies what [Checker.ask] returned.
func (r *Checker) fault(err error) *health.Fault {
	fault := faultOf(err, r.greeting)
	if fault.Reason == health.ReasonForbidden && r.options.DB != 0 {
		fault.Message = "the Redis user may not run SELECT (for {DB}) or PING: grant +select and +ping, and +info for the figures"
	}
	return fault
}

// faultOf classifies what go-redis returned. greeting is the refusal of the
// connection's first command, if any: it says more than the closed connection
// that followed.
func faultOf(err, greeting error) *health.Fault {
	if fault := repliedFault(err); fault != nil {
		return fault
	}
	if fault := repliedFault(greeting); fault != nil && hungUp(err) {
		return fault
	}
	if hasReply(err) {
		return &health.Fault{Reason: health.ReasonError, Message: "Redis, or a proxy before it, answers PING with an error; the sidecar's log has it", Err: err}
	}
	if fault := dependency.NetworkFault(err); fault.Reason != health.ReasonError {
		if fault.Message == "" && fault.Reason == health.ReasonTLS {
			fault.Message = dependency.CertificateMessage(err, "Redis", "set its tls-auth-clients to no or optional")
		}
		return fault
	}
	// go-redis has no type for what it could not parse.
	switch text := err.Error(); {
	case errors.Is(err, errNotRedis), errors.Is(err, errReplyTooLarge),
		strings.Contains(text, "redis: can't parse"), strings.Contains(text, "redis: invalid"):
		return &health.Fault{Reason: health.ReasonProtocol, Message: "what listens at {ADDRESS} is not a Redis", Err: err}
	default:
		return &health.Fault{Reason: health.ReasonError, Err: err}
	}
}

// tellsOfRedis reports whether an answer to INFO is about more than INFO: a proxy answers
// PING itself, and passes on that the Redis behind it wants a login or is still loading.
func tellsOfRedis(err error) bool {
	fault := repliedFault(err)
	return fault != nil && fault.Reason != health.ReasonForbidden && !redis.HasErrorPrefix(err, "unknown command")
}

func repliedFault(err error) *health.Fault {
	for _, reply := range refusals {
		if redis.HasErrorPrefix(err, reply.prefix) {
			fault := reply.fault
			fault.Err = err
			return &fault
		}
	}
	return nil
}
