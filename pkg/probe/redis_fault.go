package probe

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/pkg/health"
)

// redisReplies holds what a Redis answers in the place of PONG, by its beginning.
var redisReplies = []struct {
	prefix string
	fault  health.Fault
}{
	{"LOADING", health.Fault{Reason: health.StartingUp, Message: "Redis is loading its data into memory"}},
	{"NOAUTH", health.Fault{Reason: health.Auth, Message: "Redis asks for a password: set REDIS_PASSWORD"}},
	{"WRONGPASS", health.Fault{Reason: health.Auth, Message: "Redis refused the login: see REDIS_USERNAME and REDIS_PASSWORD"}},
	{"invalid password", health.Fault{Reason: health.Auth, Message: "Redis refused the login: see REDIS_PASSWORD"}},
	{"Client sent AUTH, but no password is set", health.Fault{Reason: health.Auth, Message: "Redis has no password, but REDIS_PASSWORD is set"}},
	{"AUTH <password> called without any password", health.Fault{Reason: health.Auth, Message: "Redis has no password, but REDIS_PASSWORD is set"}},
	{"wrong number of arguments for 'auth'", health.Fault{Reason: health.Auth, Message: "this Redis has no users, as before Redis 6: leave REDIS_USERNAME empty"}},
	{"DENIED", health.Fault{Reason: health.Auth, Message: "Redis is in protected mode: it has no password and refuses other hosts"}},
	{"NOPERM", health.Fault{Reason: health.Forbidden, Message: "the Redis user may not run PING: grant +ping, and +info for the figures"}},
	{"max number of clients", health.Fault{Reason: health.TooManyConnections, Message: "Redis has reached its maxclients"}},
	{"DB index is out of range", health.Fault{Reason: health.DatabaseMissing, Message: "Redis has no database of the number in REDIS_DB"}},
	{"SELECT is not allowed in cluster mode", health.Fault{
		Reason:  health.DatabaseMissing,
		Message: "this Redis is a node of a Redis Cluster, which has database 0 only: leave REDIS_DB at 0",
	}},
	{"MASTERDOWN", health.Fault{
		Reason:  health.Error,
		Message: "this Redis is a replica that has lost its master, and answers nothing until the master is back (replica-serve-stale-data is off)",
	}},
	{"NOREPLICAS", health.Fault{
		Reason: health.ReadOnly, Severity: health.Unproven,
		Message: "Redis refuses writes because it has fewer good replicas than min-replicas-to-write: see its replicas",
	}},
	{"READONLY", health.Fault{
		Reason: health.ReadOnly, Severity: health.Unproven,
		Message: "this Redis is a replica and accepts no writes",
	}},
	{"MISCONF", health.Fault{
		Reason: health.ReadOnly, Severity: health.Unproven,
		Message: "Redis refuses writes because it cannot save to its disk: see its disk and its log",
	}},
	{"BUSY", health.Fault{Reason: health.Error, Message: "Redis is busy with a script, function or module command that does not end"}},
	{"unknown command", health.Fault{
		Reason:  health.Error,
		Message: "what answers does not know PING, or SELECT for REDIS_DB: it may be a proxy or a Sentinel, or the command was renamed",
	}},
}

// fault classifies what [Redis.ask] returned.
func (r *Redis) fault(err error) *health.Fault {
	fault := redisFault(err, r.greeting)
	if fault.Reason == health.Forbidden && r.options.DB != 0 {
		fault.Message = "the Redis user may not run SELECT (for REDIS_DB) or PING: grant +select and +ping, and +info for the figures"
	}
	return fault
}

// redisFault classifies what go-redis returned. greeting is the refusal of the
// connection's first command, if any: it says more than the closed connection
// that followed.
func redisFault(err, greeting error) *health.Fault {
	if fault := repliedFault(err); fault != nil {
		return fault
	}
	if fault := repliedFault(greeting); fault != nil && hungUp(err) {
		return fault
	}
	if hasReply(err) {
		return &health.Fault{Reason: health.Error, Message: "Redis, or a proxy before it, answers PING with an error; the sidecar's log has it", Err: err}
	}
	if fault := networkFault(err); fault.Reason != health.Error {
		if fault.Message == "" && fault.Reason == health.TLS {
			fault.Message = certificateMessage(err, "Redis", "set its tls-auth-clients to no or optional")
		}
		return fault
	}
	// go-redis has no type for what it could not parse.
	switch text := err.Error(); {
	case errors.Is(err, errNotRedis), errors.Is(err, errReplyTooLarge),
		strings.Contains(text, "redis: can't parse"), strings.Contains(text, "redis: invalid"):
		return &health.Fault{Reason: health.Protocol, Message: "what listens at REDIS_HOST and REDIS_PORT is not a Redis", Err: err}
	default:
		return &health.Fault{Reason: health.Error, Err: err}
	}
}

func repliedFault(err error) *health.Fault {
	for _, reply := range redisReplies {
		if redis.HasErrorPrefix(err, reply.prefix) {
			fault := reply.fault
			fault.Err = err
			return &fault
		}
	}
	return nil
}
