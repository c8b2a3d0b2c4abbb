package redis_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// refuses checks that Redis itself refuses a command.
func refuses(t *testing.T, r *servers.Redis, want string, args ...any) {
	t.Helper()
	if err := r.Do(t.Context(), args...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: %v, want %s", args, err, want)
	}
}

// figureless runs a check that must succeed without Redis's figures, and say so.
func figureless(t *testing.T, p *redis.Checker) {
	t.Helper()
	seen := checking.Healthy(t, p)
	if len(figures(seen)) != 0 || len(seen.Notes) != 1 || !strings.Contains(seen.Notes[0], "INFO") {
		t.Errorf("measures %v, notes %q; want none, and a note on INFO", seen.Values, seen.Notes)
	}
	if seen.Latency <= 0 {
		t.Errorf("latency = %v", seen.Latency)
	}
}

// figures returns the names of what Redis itself told.
func figures(seen health.Observation) (names []string) {
	for _, v := range seen.Values {
		if v.Name != "endpoint" {
			names = append(names, v.Name)
		}
	}
	return names
}

func TestRedisWithoutInfo(t *testing.T) {
	t.Parallel()
	renamed := servers.RunRedis(t, servers.RedisOptions{Config: []string{`rename-command INFO ""`}})
	figureless(t, newRedis(t, renamed, nil))
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "ACL", "SETUSER", "noinfo", "on", ">secret", "+ping")
	p := newRedis(t, r, func(o *redis.Options) { o.Username, o.Password = "noinfo", checking.Password("secret") })
	figureless(t, p)
	redisDo(t, r, "ACL", "SETUSER", "noinfo", "+info")
	if seen := checking.Healthy(t, p); len(figures(seen)) == 0 || seen.Notes != nil {
		t.Errorf("measures %v, notes %q", seen.Values, seen.Notes)
	}
	partial := openRedis(t, redis.Options{
		Addr: checking.Answering(t, replyingInfo("# Proxy\r\nName:predixy\r\nused_memory:7\r\n")), Timeout: 5 * time.Second,
	})
	if seen := checking.Healthy(t, partial); len(figures(seen)) != 1 {
		t.Errorf("measures %v of a proxy's own INFO, want memory_usage alone", seen.Values)
	}
	unknown := openRedis(t, redis.Options{Addr: checking.Answering(t, envoyRedis), Timeout: 5 * time.Second})
	figureless(t, unknown)
}

// What a proxy that answers PING itself passes on of the Redis behind it, as the answer to
// INFO: what is about INFO alone costs the figures.
func TestRedisInfoOfProxies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info   string
		reason health.Reason // empty: healthy, without figures
	}{
		"no right":        {"-NOPERM User u has no permissions to run the 'info' command\r\n", ""},
		"not supported":   {"-ERR unsupported command\r\n", ""},
		"unknown":         {"-ERR unknown command 'info'\r\n", ""},
		"nothing":         {"$-1\r\n", ""},
		"empty":           {"$0\r\n\r\n", ""},
		"wants a login":   {"-NOAUTH Authentication required.\r\n", health.ReasonAuth},
		"loading":         {"-LOADING Redis is loading the dataset in memory\r\n", health.ReasonStartingUp},
		"replica's stale": {"-MASTERDOWN Link with MASTER is down\r\n", health.ReasonError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openRedis(t, redis.Options{Addr: checking.Answering(t, answeringCommands(func(word string) string {
				return map[string]string{"hello": "-ERR unknown command\r\n", "ping": "+PONG\r\n", "info": test.info}[word]
			})), Timeout: 5 * time.Second})
			if test.reason == "" {
				figureless(t, p)
				return
			}
			checking.Fails(t, p, test.reason)
		})
	}
}

// Roles of Redis' kin. Whatever is no replica is not read-only.
func TestRedisRoles(t *testing.T) {
	t.Parallel()
	for info, readOnly := range map[string]bool{
		"role:master\r\n": false, "role:single\r\n": false, "role:slave\r\n": true, "role:SLAVE\r\n": true, "role:replica\r\n": true,
		"role:replica\r\nslave_read_only:0\r\n": false, "role:active-replica\r\nslave_read_only:0\r\n": false, "redis_version:7\r\n": false,
	} {
		p := openRedis(t, redis.Options{Addr: checking.Answering(t, replyingInfo(info)), Timeout: 5 * time.Second})
		if !readOnly {
			checking.Healthy(t, p)
			continue
		}
		checking.Fails(t, p, health.ReasonReadOnly)
	}
}

// answeringCommands answers each word that it receives with what answer returns for it,
// in lower case.
func answeringCommands(answer func(word string) string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			for word := range strings.FieldsSeq(strings.ToLower(string(buf[:n]))) {
				if _, err := io.WriteString(c, answer(word)); err != nil {
					return
				}
			}
		}
	}
}

// replyingInfo answers PING with PONG and INFO with this text.
func replyingInfo(info string) func(net.Conn) {
	return answeringCommands(func(word string) string {
		switch word {
		case "hello":
			return "-ERR unknown command\r\n"
		case "ping":
			return "+PONG\r\n"
		case "info":
			return fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
		}
		return ""
	})
}

// TestRedisSections has a server that says that it is version 7, and refuses the names of sections: it is asked for
// all of them from then on.
func TestRedisSections(t *testing.T) {
	t.Parallel()
	const all = "redis_version:7.0.15\r\nconnected_clients:3\r\n"
	var refused atomic.Int64
	p := openRedis(t, redis.Options{Timeout: 5 * time.Second, Addr: checking.Answering(t, func(c net.Conn) {
		buf := make([]byte, 4<<10)
		for n, err := c.Read(buf); err == nil; n, err = c.Read(buf) {
			switch text := strings.ToLower(string(buf[:n])); {
			case strings.Contains(text, "hello"):
				_, _ = io.WriteString(c, "-ERR unknown command\r\n")
			case strings.Contains(text, "keyspace"):
				refused.Add(1)
				_, _ = io.WriteString(c, "+PONG\r\n-ERR syntax error\r\n")
			case strings.Contains(text, "ping"):
				_, _ = fmt.Fprintf(c, "+PONG\r\n$%d\r\n%s\r\n", len(all), all)
			default:
				_, _ = fmt.Fprintf(c, "$%d\r\n%s\r\n", len(all), all)
			}
		}
	})})
	for range 4 {
		if seen := checking.Healthy(t, p); len(seen.Notes) > 0 || len(figures(seen)) == 0 {
			t.Errorf("measures %v, notes %q", seen.Values, seen.Notes)
		}
	}
	if n := refused.Load(); n != 1 {
		t.Errorf("sections were asked for %d times, want once", n)
	}
}

// envoyRedis answers as Envoy's proxy for Redis does, which knows neither HELLO nor
// INFO.
func envoyRedis(c net.Conn) {
	answeringCommands(func(word string) string {
		switch word {
		case "hello", "info":
			return "-ERR unknown command '" + word + "', with args beginning with: \r\n"
		case "ping":
			return "+PONG\r\n"
		}
		return ""
	})(c)
}

// Twemproxy hangs up on HELLO and on INFO.
func TestRedisThroughTwemproxy(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "CONFIG", "SET", "requirepass", "")
	proxy := servers.RunProxy(t, servers.ProxyOptions{Program: servers.Twemproxy, Target: r.Addr()})
	w := checking.NewWire(t, proxy.Addr())
	p := openRedis(t, redis.Options{Addr: w.Addr(), Timeout: 5 * time.Second})
	figureless(t, p)
	for range 3 {
		trips, dials := w.Trips.Load(), w.Dials.Load()
		figureless(t, p)
		if w.Trips.Load() != trips+1 || w.Dials.Load() != dials {
			t.Errorf("a check made %d round trips and %d dials, want 1 and 0", w.Trips.Load()-trips, w.Dials.Load()-dials)
		}
	}
	w.HangUp()
	figureless(t, p)
	p.Redial()
	figureless(t, p)
	// Without a login configured there, it refuses one: what it says decides.
	checking.Fails(t, openRedis(t, redis.Options{Addr: w.Addr(), Password: checking.Password("x"), Timeout: 5 * time.Second}), health.ReasonAuth)
}

func TestRedisReplicaThatAcceptsWrites(t *testing.T) {
	t.Parallel()
	master := servers.RunRedis(t, servers.RedisOptions{})
	replica := servers.RunRedis(t, servers.RedisOptions{Config: []string{"replica-read-only no"}})
	redisDo(t, replica, "CONFIG", "SET", "masterauth", master.Password)
	redisDo(t, replica, "REPLICAOF", master.Host(), master.Port())
	p := newRedis(t, replica, nil)
	checking.Healthy(t, p)
	redisDo(t, replica, "SET", "k", "v")
	redisDo(t, replica, "CONFIG", "SET", "replica-read-only", "yes")
	refuses(t, replica, "READONLY", "SET", "k", "v")
	checking.Says(t, checking.Fault(t, p, health.ReasonReadOnly), "REDIS_ALLOW_REPLICA")
	const active = "redis_version:6.3.4\r\nrole:active-replica\r\nslave_read_only:0\r\n"
	keydb := openRedis(t, redis.Options{Addr: checking.Answering(t, replyingInfo(active)), Timeout: 5 * time.Second})
	checking.Healthy(t, keydb)
}

func TestRedisMasterDown(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"replica-serve-stale-data no"}})
	gone := checking.Listen(t)
	host, port, _ := net.SplitHostPort(gone.Addr().String())
	_ = gone.Close()
	redisDo(t, r, "REPLICAOF", host, port)
	refuses(t, r, "MASTERDOWN", "GET", "k")
	p := newRedis(t, r, func(o *redis.Options) { o.AllowReplica = true })
	checking.Says(t, checking.Fault(t, p, health.ReasonError), "lost its master")
	redisDo(t, r, "REPLICAOF", "NO", "ONE")
	checking.Healthy(t, p)
}

func TestRedisTooFewReplicas(t *testing.T) {
	t.Parallel()
	master := servers.RunRedis(t, servers.RedisOptions{})
	w := checking.NewWire(t, master.Addr())
	p := newRedis(t, master, func(o *redis.Options) { o.Addr = w.Addr() })
	checking.Healthy(t, p)
	redisDo(t, master, "CONFIG", "SET", "min-replicas-to-write", "1")
	refuses(t, master, "NOREPLICAS", "SET", "k", "v")
	f := checking.Fault(t, p, health.ReasonReadOnly)
	checking.Says(t, f, "min-replicas-to-write")
	if f.Severity != health.SeverityUnproven {
		t.Errorf("severity = %v, want Unproven", f.Severity)
	}
	replica := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, replica, "CONFIG", "SET", "masterauth", master.Password)
	redisDo(t, replica, "REPLICAOF", master.Host(), master.Port())
	poll.Until(t, "a good replica", func() bool { _, err := p.Check(t.Context()); return err == nil })
	redisDo(t, master, "SET", "k", "v")
	trips := w.Trips.Load()
	checking.Healthy(t, p)
	if got := w.Trips.Load() - trips; got != 1 {
		t.Errorf("a later check made %d round trips, want 1", got)
	}

	redisDo(t, master, "CONFIG", "SET", "min-replicas-to-write", "2") // and there is one
	refuses(t, master, "NOREPLICAS", "SET", "k", "v")
	p.Redial()
	checking.Fails(t, p, health.ReasonReadOnly)
	redisDo(t, master, "ACL", "SETUSER", "probe", "on", ">secret", "+ping", "+info")
	limited := newRedis(t, master, func(o *redis.Options) { o.Username, o.Password = "probe", checking.Password("secret") })
	if seen := checking.Healthy(t, limited); len(seen.Notes) != 1 || !strings.Contains(seen.Notes[0], "CONFIG GET") {
		t.Errorf("notes %q", seen.Notes)
	}
}

func TestRedisNothingToEvict(t *testing.T) {
	t.Parallel()
	for policy, evictable := range map[string][]any{
		"volatile-lru":    {"SET", "k", "v", "EX", "600"},
		"volatile-lfu":    {"SET", "k", "v", "EX", "600"},
		"volatile-random": {"SET", "k", "v", "EX", "600"},
		"volatile-ttl":    {"SET", "k", "v", "EX", "600"},
		"allkeys-lru":     {"SET", "k", "v"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"maxmemory-policy " + policy}})
			p := newRedis(t, r, nil)
			if strings.HasPrefix(policy, "volatile") {
				redisDo(t, r, "SET", "lasting", "v")
			}
			checking.Healthy(t, p)
			redisDo(t, r, "CONFIG", "SET", "maxmemory", "1000")
			checking.Says(t, checking.Fault(t, p, redis.ReasonOutOfMemory), "maxmemory-policy")
			refuses(t, r, "OOM", "SET", "other", "v")
			redisDo(t, r, "CONFIG", "SET", "maxmemory", "0")
			redisDo(t, r, evictable...)
			checking.Healthy(t, p)
		})
	}
}

// With a key to evict at the limit, writes go on.
func TestRedisEvicts(t *testing.T) {
	t.Parallel()
	const at = "redis_version:7.2\r\nrole:master\r\nused_memory:2000\r\nmaxmemory:1000\r\nmaxmemory_policy:"
	for name, test := range map[string]struct {
		rest   string
		reason health.Reason // empty: healthy
	}{
		"expiring keys":   {"volatile-ttl\r\n# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\ndb3:keys=2,expires=1,avg_ttl=5\r\n", ""},
		"none of them":    {"volatile-ttl\r\n# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\ndb3:keys=2,expires=0,avg_ttl=5\r\n", redis.ReasonOutOfMemory},
		"any key":         {"allkeys-lru\r\n# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n", ""},
		"keyspace hidden": {"volatile-ttl\r\n", ""},
		"only buffers":    {"noeviction\r\nmem_not_counted_for_evict:1500\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openRedis(t, redis.Options{Addr: checking.Answering(t, replyingInfo(at+test.rest)), Timeout: 5 * time.Second})
			if test.reason == "" {
				checking.Healthy(t, p)
				return
			}
			checking.Fails(t, p, test.reason)
		})
	}
}

func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "CONFIG", "SET", "requirepass", "")
	l := checking.Listen(t) // a port for Sentinel
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(conf, []byte("port "+port+"\nbind 127.0.0.1\ndir "+dir+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checking.RunCommand(t, "redis-server", conf, "--sentinel")
	p := openRedis(t, redis.Options{Addr: "127.0.0.1:" + port, Timeout: 5 * time.Second})
	poll.Until(t, "Sentinel", func() bool {
		_, err := p.Check(t.Context())
		return err == nil || !strings.Contains(err.Error(), "refused")
	})
	checking.Says(t, checking.Fault(t, p, health.ReasonProtocol), "Sentinel")
	withDB := openRedis(t, redis.Options{Addr: "127.0.0.1:" + port, DB: 1, Timeout: 5 * time.Second})
	checking.Says(t, checking.Fault(t, withDB, health.ReasonError), "Sentinel")
}

func TestRedisCannotSave(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"save 3600 1000", "dbfilename in-the-way"}})
	p := newRedis(t, r, nil)
	checking.Healthy(t, p)
	if err := os.MkdirAll(filepath.Join(r.Dir(), "in-the-way", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	redisDo(t, r, "BGSAVE")
	poll.Until(t, "MISCONF", func() bool { _, err := p.Check(t.Context()); return err != nil })
	checking.Says(t, checking.Fault(t, p, health.ReasonReadOnly), "cannot save")
	refuses(t, r, "MISCONF", "SET", "k", "v")
}

func TestRedisBusyScript(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"busy-reply-threshold 50"}})
	p := newRedis(t, r, nil)
	checking.Healthy(t, p)
	done := make(chan error, 1)
	go func() { done <- r.Do(context.WithoutCancel(t.Context()), "EVAL", "while true do end", "0") }()
	poll.Until(t, "BUSY", func() bool {
		_, err := p.Check(t.Context())
		return err != nil && strings.Contains(err.Error(), "BUSY")
	})
	checking.Says(t, checking.Fault(t, p, health.ReasonError), "script")
	redisDo(t, r, "SCRIPT", "KILL")
	if err := <-done; err == nil {
		t.Error("the script ended by itself")
	}
	checking.Healthy(t, p)
}

// What go-redis falls back to where HELLO is not known.
func TestRedisOldLogin(t *testing.T) {
	t.Parallel()
	for answer, words := range map[string]string{
		"-ERR wrong number of arguments for 'auth' command\r\n":                                               "REDIS_USERNAME",
		"-ERR AUTH <password> called without any password configured for the default user. Are you sure?\r\n": "no password",
		"-ERR invalid password\r\n":               "REDIS_PASSWORD",
		"-ERR invalid username-password pair\r\n": "REDIS_USERNAME",
		"-ERR operation not permitted\r\n":        "REDIS_PASSWORD",
	} {
		p := openRedis(t, redis.Options{
			Addr: checking.Answering(t, replying(answer)), Username: "u", Password: checking.Password("p"), Timeout: 5 * time.Second,
		})
		checking.Says(t, checking.Fault(t, p, health.ReasonAuth), words)
	}
}

func TestRedisWantsClientCertificate(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		r := servers.RunRedis(t, servers.RedisOptions{TLS: true, Config: []string{"tls-protocols " + version}})
		redisDo(t, r, "CONFIG", "SET", "tls-auth-clients", "yes")
		p := newRedis(t, r, func(o *redis.Options) { o.TLS = dependency.TLSConfig(r.CAFile(), "127.0.0.1", nil) })
		for range 5 { // the alert may come before, with or after the first answer
			checking.Says(t, checking.Fault(t, p, health.ReasonTLS), "client certificate", "tls-auth-clients")
		}
	}
}
