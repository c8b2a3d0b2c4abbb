package probe

import (
	"errors"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// redisInfo holds the lines of INFO that the probe reads.
type redisInfo struct {
	version, role, policy       string
	used, peak, limit           int64 // bytes; no limit is 0
	connectedClients, processed int64
}

var errNotRedis = errors.New("the answer is not one of Redis")

// parseRedisInfo fails on a text that lacks what every INFO has. Figures that a
// managed Redis may hide are zero.
func parseRedisInfo(text string) (redisInfo, error) {
	lines := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			lines[name] = value
		}
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(lines[name], 10, 64)
		return n
	}
	if lines["redis_version"] == "" || lines["role"] == "" {
		return redisInfo{}, errNotRedis
	}
	return redisInfo{
		version:          lines["redis_version"],
		role:             lines["role"],
		policy:           lines["maxmemory_policy"],
		used:             number("used_memory"),
		peak:             number("used_memory_peak"),
		limit:            number("maxmemory"),
		connectedClients: number("connected_clients"),
		processed:        number("total_commands_processed"),
	}, nil
}

// judge turns a good answer into measures, and into a fault where it tells of one.
func (r *Redis) judge(reply redisReply) (health.Observation, error) {
	i := reply.info
	seen := health.Observation{
		Latency: reply.latency,
		Measures: []health.Measure{
			health.Bytes("memory_usage", i.used),
			health.Bytes("memory_peak", i.peak),
			health.Number("connected_clients", i.connectedClients),
			health.Number("total_commands", i.processed),
			health.Text("version", i.version),
			health.Bytes("memory_max", i.limit),
			health.Text("role", i.role),
		},
	}
	switch {
	case i.role != "master" && !r.options.AllowReplica:
		return seen, &health.Fault{
			Reason:   health.ReadOnly,
			Severity: health.Unproven,
			Message:  "this Redis is a replica and accepts no writes (REDIS_ALLOW_REPLICA allows it)",
		}
	case i.limit > 0 && i.policy == "noeviction" && i.used >= i.limit:
		return seen, &health.Fault{
			Reason:  health.OutOfMemory,
			Message: "Redis has reached its maxmemory, and its policy noeviction refuses writes",
		}
	default:
		return seen, nil
	}
}
