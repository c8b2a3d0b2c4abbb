package redis_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// A node alone answers PING, and commands on keys only once it has all hash slots.
func TestRedisClusterNode(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Cluster: true})
	checking.Says(t, checking.Fault(t, newRedis(t, r, func(o *redis.Options) { o.DB = 1 }), health.ReasonDatabaseMissing), "Cluster", "REDIS_DB")

	p := newRedis(t, r, nil)
	refuses(t, r, "CLUSTERDOWN", "SET", "k", "v")
	checking.Says(t, checking.Fault(t, p, redis.ReasonClusterDown), "16384 of 16384 hash slots are assigned to no node")
	redisDo(t, r, "CLUSTER", "ADDSLOTSRANGE", 0, 16000)
	checking.Says(t, checking.Fault(t, p, redis.ReasonClusterDown), "383 of 16384")
	redisDo(t, r, "CLUSTER", "ADDSLOTSRANGE", 16001, 16383)
	poll.Until(t, "the cluster's state is ok", func() bool { _, err := p.Check(t.Context()); return err == nil })
	redisDo(t, r, "SET", "k", "v")
}

func TestRedisClusterLosesAMaster(t *testing.T) {
	t.Parallel()
	nodes := servers.RunRedisCluster(t, 3)
	w := checking.NewWire(t, nodes[0].Addr())
	p := newRedis(t, nodes[0], func(o *redis.Options) { o.Addr = w.Addr() })

	checking.Healthy(t, p)
	if got := w.Trips.Load(); got != 3 {
		t.Errorf("the first check made %d round trips, want 3: HELLO, PING with INFO, and CLUSTER INFO", got)
	}
	for range 5 {
		before := w.Trips.Load()
		checking.Healthy(t, p)
		if got := w.Trips.Load() - before; got != 1 {
			t.Errorf("a check made %d round trips, want 1", got)
		}
	}
	p.Redial()
	before := w.Trips.Load()
	checking.Healthy(t, p)
	if got := w.Trips.Load() - before; got != 2 {
		t.Errorf("a check that dials made %d round trips, want 2: it knows that this is a cluster", got)
	}

	for what, fail := range map[string]struct{ begin, end func() error }{
		"killed": {nodes[2].Kill, func() error { return nodes[2].Start(t.Context()) }},
		"frozen": {nodes[2].Freeze, nodes[2].Thaw},
	} {
		if err := fail.begin(); err != nil {
			t.Fatal(err)
		}
		var fault *health.Fault
		poll.Until(t, "cluster_down while a master is "+what, func() bool {
			_, err := p.Check(t.Context())
			if err != nil {
				fault = checking.WantFault(t, err, redis.ReasonClusterDown)
			}
			return fault != nil && strings.Contains(fault.Message, "have failed")
		})
		// So it is from the first check on.
		checking.Fails(t, newRedis(t, nodes[1], nil), redis.ReasonClusterDown)
		if err := fail.end(); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "recovery", func() bool { _, err := p.Check(t.Context()); return err == nil })
	}
}

// A cluster that serves the slots that it has is up until most masters are gone.
func TestRedisClusterServesWhatItHas(t *testing.T) {
	t.Parallel()
	nodes := servers.RunRedisCluster(t, 3)
	for _, node := range nodes {
		redisDo(t, node, "CONFIG", "SET", "cluster-require-full-coverage", "no")
	}
	if err := nodes[2].Kill(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "a failed node", func() bool {
		answer, err := nodes[0].Ask(t.Context(), "CLUSTER", "NODES")
		text, ok := answer.(string)
		return err == nil && ok && strings.Contains(text, "master,fail ")
	})
	p := newRedis(t, nodes[0], nil)
	checking.Healthy(t, p)
	if err := nodes[1].Kill(); err != nil {
		t.Fatal(err)
	}
	poll.Until(t, "cluster_down with one master of three", func() bool {
		_, err := p.Check(t.Context())
		if err != nil {
			checking.Says(t, checking.WantFault(t, err, redis.ReasonClusterDown), "Redis Cluster is down")
		}
		return err != nil
	})
}

// Without the right to ask, the state is unknown, which is no fault.
func TestRedisClusterStateWithheld(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Cluster: true})
	redisDo(t, r, "ACL", "SETUSER", "probe", "on", ">secret", "+ping", "+info")
	p := newRedis(t, r, func(o *redis.Options) { o.Username, o.Password = "probe", checking.Password("secret") })
	for range 2 {
		if seen := checking.Healthy(t, p); len(seen.Notes) != 1 || !strings.Contains(seen.Notes[0], "+cluster|info") || len(seen.Values) == 0 {
			t.Errorf("notes %q, values %v", seen.Notes, seen.Values)
		}
	}
	redisDo(t, r, "ACL", "SETUSER", "probe", "+cluster|info")
	checking.Fails(t, p, redis.ReasonClusterDown)
}

// What passes on CLUSTERDOWN, as proxies do, and what says that it is a node and answers
// CLUSTER INFO in its own way.
func TestRedisClusterOfProxies(t *testing.T) {
	t.Parallel()
	const down, unknown = "-CLUSTERDOWN The cluster is down\r\n", "-ERR unknown command\r\n"
	bulk := func(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }
	node := bulk("cluster_enabled:1")
	for name, test := range map[string]struct {
		ping, info, cluster string
		reason              health.Reason // empty: healthy
		notes               int
	}{
		"PING refused":         {down, node, unknown, redis.ReasonClusterDown, 0},
		"INFO refused":         {"+PONG\r\n", down, unknown, redis.ReasonClusterDown, 0},
		"CLUSTER INFO refused": {"+PONG\r\n", node, down, redis.ReasonClusterDown, 0},
		"unknown":              {"+PONG\r\n", node, unknown, "", 1},
		"no CLUSTER INFO":      {"+PONG\r\n", node, bulk("hello"), health.ReasonProtocol, 0},
		"fail":                 {"+PONG\r\n", node, bulk("cluster_state:fail"), redis.ReasonClusterDown, 0},
		"ok":                   {"+PONG\r\n", node, bulk("cluster_state:ok"), "", 0},
		"no cluster":           {"+PONG\r\n", bulk("cluster_enabled:0"), down, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// CLUSTER INFO comes as two words, the second of which is INFO.
			addr := checking.Answering(t, func(c net.Conn) {
				asked := false
				answeringCommands(func(word string) string {
					switch {
					case word == "hello":
						return unknown
					case word == "ping":
						return test.ping
					case word == "cluster":
						asked = true
						return test.cluster
					case word == "info" && asked:
						asked = false
						return ""
					case word == "info":
						return test.info
					}
					return ""
				})(c)
			})
			p := openRedis(t, redis.Options{Addr: addr, Timeout: 5 * time.Second})
			for range 2 { // the second asks everything at once
				seen, err := p.Check(t.Context())
				if test.reason != "" {
					_ = checking.WantFault(t, err, test.reason)
				} else if err != nil || len(seen.Notes) != test.notes {
					t.Errorf("%v, notes %q, want %d notes", err, seen.Notes, test.notes)
				}
			}
		})
	}
}
