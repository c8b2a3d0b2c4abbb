package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// info holds what INFO said; nil if it was not answered. A proxy or a managed
// Redis may leave out any line.
type info struct {
	lines map[string]string
	// keys and expiring count the keys of all databases and those that have an
	// expiry; they count only where keyspace is true.
	keys, expiring int64
	keyspace       bool
}

var errNotRedis = errors.New("the answer is not one of Redis")

// parseInfo fails on a text with no line of INFO's form.
func parseInfo(text string) (*info, error) {
	i := &info{lines: make(map[string]string)}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.EqualFold(line, "# Keyspace") {
			i.keyspace = true
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		i.lines[name] = value
		if database, ok := strings.CutPrefix(name, "db"); ok && isNumber(database) {
			i.count(value)
		}
	}
	if len(i.lines) == 0 {
		return nil, errNotRedis
	}
	return i, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil
}

// count adds one database, such as "keys=3,expires=1,avg_ttl=0".
func (i *info) count(database string) {
	for field := range strings.SplitSeq(database, ",") {
		name, value, _ := strings.Cut(field, "=")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "keys":
			i.keys += n
		case "expires":
			i.expiring += n
		}
	}
}

// number returns a line's number, and whether there is one.
func (i *info) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(i.lines[name], 10, 64)
	return n, err == nil
}

// takesSections reports whether INFO takes the names of several sections, as it does from version 7 on. With
// those that are used, an answer has a fifth less.
func (i *info) takesSections() bool {
	major, _, _ := strings.Cut(i.lines["redis_version"], ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 7
}

// measures leaves out what INFO did not say.
func (i *info) measures() []health.Value {
	var seen []health.Value
	for _, m := range []struct {
		line, name string
		measure    func(name string, n int64) health.Value
	}{
		{"used_memory", "memory_usage", health.Bytes},
		{"used_memory_peak", "memory_peak", health.Bytes},
		{"connected_clients", "connected_clients", health.Number[int64]},
		{"total_commands_processed", "total_commands", health.Number[int64]},
		{"redis_version", "version", nil},
		{"maxmemory", "memory_max", health.Bytes},
		{"role", "role", nil},
	} {
		text, number := i.lines[m.line], m.measure != nil
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case number && err == nil:
			seen = append(seen, m.measure(m.name, n))
		case !number && text != "":
			seen = append(seen, health.Text(m.name, text))
		}
	}
	return seen
}

// isReadOnlyReplica reports whether this is a replica that accepts no writes. The
// active replicas of KeyDB, and others with replica-read-only off, accept them.
func (i *info) isReadOnlyReplica() bool {
	role := strings.ToLower(i.lines["role"])
	replica := strings.Contains(role, "slave") || strings.Contains(role, "replica") // others have names of their own
	return replica && i.lines["slave_read_only"] != "0"
}

// goodReplicas returns how many replicas count for min-replicas-to-write. It is
// false where that is not set, and on a replica, for which it has no meaning.
func (i *info) goodReplicas() (int64, bool) {
	n, ok := i.number("min_slaves_good_slaves")
	return n, ok && i.lines["role"] == "master"
}

// isFull reports whether maxmemory is reached and nothing may be evicted, so that
// writes fail.
func (i *info) isFull() bool {
	used, known := i.number("used_memory")
	limit, _ := i.number("maxmemory")
	buffers, _ := i.number("mem_not_counted_for_evict")
	if !known || limit == 0 || used-buffers < limit {
		return false
	}
	policy := i.lines["maxmemory_policy"]
	switch {
	case policy == "noeviction":
		return true
	case strings.HasPrefix(policy, "volatile-"):
		return i.keyspace && i.expiring == 0
	case strings.HasPrefix(policy, "allkeys-"):
		return i.keyspace && i.keys == 0
	default:
		return false
	}
}

const hashSlots = 16384 // of every Redis Cluster

// whyDown says what CLUSTER INFO tells of a Redis Cluster that is down.
func (i *info) whyDown() string {
	assigned, counted := i.number("cluster_slots_assigned")
	failed, _ := i.number("cluster_slots_fail")
	switch {
	case counted && assigned < hashSlots:
		return fmt.Sprintf("the Redis Cluster is down: %d of %d hash slots are assigned to no node (redis-cli --cluster check shows them)", hashSlots-assigned, hashSlots)
	case failed > 0:
		return fmt.Sprintf("the Redis Cluster is down: the nodes of %d of %d hash slots have failed (redis-cli --cluster check shows them)", failed, hashSlots)
	default:
		return "the Redis Cluster is down: this node may not reach most of the masters (redis-cli --cluster check)"
	}
}

// judge turns a good answer into measures, and into a fault where it tells of one.
func (r *Checker) judge(reply reply) (health.Observation, error) {
	seen := health.Observation{Latency: reply.latency, Notes: reply.notes}
	i := reply.info
	if i == nil {
		return seen, nil
	}
	seen.Values = i.measures()
	good, counted := i.goodReplicas()
	switch {
	case i.lines["redis_mode"] == "sentinel":
		return seen, &health.Fault{
			Reason:  health.ReasonProtocol,
			Message: "what listens at {ADDRESS} is a Redis Sentinel, which holds no data: name the Redis that it watches",
		}
	case reply.cluster != nil && reply.cluster.lines["cluster_state"] != "ok":
		return seen, &health.Fault{Reason: ReasonClusterDown, Message: reply.cluster.whyDown()}
	case i.isReadOnlyReplica() && !r.options.AllowReplica && r.options.Sentinels != nil:
		return seen, &health.Fault{
			Reason:   health.ReasonReadOnly,
			Severity: health.SeverityUnproven,
			Message:  "the Redis that the Sentinels name as the master is a replica: a failover is under way, or the Sentinel that was asked is cut off",
		}
	case i.isReadOnlyReplica() && !r.options.AllowReplica:
		return seen, &health.Fault{
			Reason:   health.ReasonReadOnly,
			Severity: health.SeverityUnproven,
			Message:  "this Redis is a replica and accepts no writes ({ALLOW_REPLICA} allows it)",
		}
	case counted && good < max(1, reply.minReplicas):
		return seen, &health.Fault{
			Reason:   health.ReasonReadOnly,
			Severity: health.SeverityUnproven,
			Message:  "Redis refuses writes because it has fewer good replicas than min-replicas-to-write: see its replicas",
		}
	case i.isFull():
		return seen, &health.Fault{
			Reason:  ReasonOutOfMemory,
			Message: "Redis has reached its maxmemory, and its maxmemory-policy finds no key to evict: writes fail",
		}
	default:
		return seen, nil
	}
}
