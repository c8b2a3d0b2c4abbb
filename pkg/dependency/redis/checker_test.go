package redis_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// newRedis returns a checker of r, changed by edit.
func newRedis(t *testing.T, r *servers.Redis, edit func(*redis.Options)) *redis.Checker {
	t.Helper()
	options := redis.Options{Addr: r.Addr(), Password: checking.Password(r.Password), Timeout: 5 * time.Second}
	if edit != nil {
		edit(&options)
	}
	return openRedis(t, options)
}

func openRedis(t *testing.T, options redis.Options) *redis.Checker {
	t.Helper()
	options.Prefix = "REDIS_"
	p := redis.New(options)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func redisDo(t *testing.T, r *servers.Redis, args ...any) {
	t.Helper()
	if err := r.Do(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

func TestRedisHealthy(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"maxmemory 64mb"}})
	p := newRedis(t, r, func(o *redis.Options) { o.DB = 3 })
	seen := checking.Declared(t, redis.Kind(), checking.Healthy(t, p))

	var names []string
	for _, m := range seen.Values {
		names = append(names, m.Name)
	}
	want := []string{
		"memory_usage", "memory_peak", "connected_clients", "total_commands", "version", "memory_max", "role", "endpoint",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("measures (-want +got):\n%s", diff)
	}
	for name, atLeast := range map[string]float64{
		"memory_usage": 100 << 10, "memory_peak": 100 << 10, "connected_clients": 1, "total_commands": 1,
		"memory_max": 64 << 20,
	} {
		if got, ok := seen.Find(name); !ok || got < atLeast {
			t.Errorf("%s = %v, want at least %v", name, got, atLeast)
		}
	}
	if version := seen.Values[4].Text; !strings.Contains(version, ".") {
		t.Errorf("version = %q", version)
	}
	if role := seen.Values[6].Text; role != "master" {
		t.Errorf("role = %q, want master", role)
	}
	if seen.Latency <= 0 || seen.Latency > 5*time.Second {
		t.Errorf("latency = %v", seen.Latency)
	}
}

func TestRedisOneRoundTrip(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	w := checking.NewWire(t, r.Addr())
	p := newRedis(t, r, func(o *redis.Options) { o.Addr = w.Addr() })

	checking.Healthy(t, p)
	if got := w.Trips.Load(); got != 2 {
		t.Errorf("the first check made %d round trips, want 2: HELLO, and PING with INFO", got)
	}
	for range 10 {
		before := w.Trips.Load()
		checking.Healthy(t, p)
		if got := w.Trips.Load() - before; got != 1 {
			t.Errorf("a check made %d round trips, want 1", got)
		}
	}
	if got := w.Dials.Load(); got != 1 {
		t.Errorf("%d connections for 11 checks, want 1", got)
	}
	p.Redial()
	checking.Healthy(t, p)
	checking.Healthy(t, p)
	if got := w.Dials.Load(); got != 2 {
		t.Errorf("%d connections after Redial, want 2", got)
	}
	w.HangUp()
	checking.Healthy(t, p) // a connection that died while idle is no failure
	if got := w.Dials.Load(); got != 3 {
		t.Errorf("%d connections after one died, want 3", got)
	}
}

func TestRedisLatencyLeavesOutTheDial(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	const slow = 300 * time.Millisecond
	p := newRedis(t, r, func(o *redis.Options) {
		o.Password = func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, slow)
			defer cancel()
			<-ctx.Done()
			return r.Password, nil
		}
	})
	if seen := checking.Healthy(t, p); seen.Latency >= slow {
		t.Errorf("latency = %v, and dialling alone took %v", seen.Latency, slow)
	}
}

func TestRedisLogin(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "ACL", "SETUSER", "noping", "on", ">canary-noping", "+info")
	redisDo(t, r, "ACL", "SETUSER", "probe", "on", ">canary-probe", "+ping", "+info")

	for name, test := range map[string]struct {
		edit   func(*redis.Options)
		reason health.Reason
		names  string // what the message tells the reader to look at
	}{
		"wrong password":   {func(o *redis.Options) { o.Password = checking.Password("canary-wrong") }, health.ReasonAuth, "REDIS_PASSWORD"},
		"no password":      {func(o *redis.Options) { o.Password = nil }, health.ReasonAuth, "REDIS_PASSWORD"},
		"unknown user":     {func(o *redis.Options) { o.Username = "nobody" }, health.ReasonAuth, "REDIS_USERNAME"},
		"unknown database": {func(o *redis.Options) { o.DB = 99 }, health.ReasonDatabaseMissing, "REDIS_DB"},
		"unreadable file": {func(o *redis.Options) {
			o.Password = func(context.Context) (string, error) { return "", errors.New("open /canary: no such file") }
		}, health.ReasonAuth, "REDIS_PASSWORD_FILE"},
		"user may not run PING": {func(o *redis.Options) {
			o.Username, o.Password = "noping", checking.Password("canary-noping")
		}, health.ReasonForbidden, "+ping"},
		"user may not run SELECT": {func(o *redis.Options) {
			o.DB, o.Username, o.Password = 1, "probe", checking.Password("canary-probe")
		}, health.ReasonForbidden, "+select"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := checking.Fault(t, newRedis(t, r, test.edit), test.reason)
			if !strings.Contains(f.Message, test.names) {
				t.Errorf("message %q does not mention %s", f.Message, test.names)
			}
			if strings.Contains(f.Message, "canary") || f.Err == nil {
				t.Errorf("message %q, cause %v", f.Message, f.Err)
			}
		})
	}
	checking.Healthy(t, newRedis(t, r, func(o *redis.Options) {
		o.Username, o.Password = "probe", checking.Password("canary-probe")
	}))
}

func TestRedisPasswordRotated(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	file := filepath.Join(t.TempDir(), "password")
	write := func(p string) {
		if err := os.WriteFile(file, []byte(p), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(r.Password)
	p := newRedis(t, r, func(o *redis.Options) {
		o.Password = func(context.Context) (string, error) {
			b, err := os.ReadFile(file)
			return string(b), err
		}
	})
	checking.Healthy(t, p)
	redisDo(t, r, "CONFIG", "SET", "requirepass", "canary-new")
	checking.Healthy(t, p) // Redis keeps connections that are logged in
	p.Redial()
	checking.Fails(t, p, health.ReasonAuth)
	write("canary-new")
	checking.Healthy(t, p)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	checking.Fails(t, p, health.ReasonAuth)
	write("canary-new")
	checking.Healthy(t, p)
}

func TestRedisLoading(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{
		"loading-process-events-interval-bytes 1024", "key-load-delay 20000",
	}})
	p := newRedis(t, r, nil)
	checking.Healthy(t, p)
	redisDo(t, r, "DEBUG", "POPULATE", "40", "key", "2000")
	done := make(chan error, 1)
	go func() { done <- r.Do(context.WithoutCancel(t.Context()), "DEBUG", "RELOAD") }()
	poll.Until(t, "LOADING", func() bool {
		_, err := p.Check(t.Context())
		var f *health.Fault
		return errors.As(err, &f) && f.Reason == health.ReasonStartingUp
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checking.Healthy(t, p)
}

func TestRedisReplica(t *testing.T) {
	t.Parallel()
	master := servers.RunRedis(t, servers.RedisOptions{})
	replica := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, replica, "CONFIG", "SET", "masterauth", master.Password)
	redisDo(t, replica, "REPLICAOF", master.Host(), master.Port())

	p := newRedis(t, replica, nil)
	seen, err := p.Check(t.Context())
	if f := checking.WantFault(t, err, health.ReasonReadOnly); f.Severity != health.SeverityUnproven {
		t.Errorf("severity = %v, want Unproven", f.Severity)
	}
	if len(seen.Values) == 0 {
		t.Error("a replica's figures are missing")
	}
	checking.Healthy(t, newRedis(t, replica, func(o *redis.Options) { o.AllowReplica = true }))
	redisDo(t, replica, "REPLICAOF", "NO", "ONE")
	checking.Healthy(t, p)
}

func TestRedisMemoryFull(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"maxmemory 1000", "maxmemory-policy noeviction"}})
	p := newRedis(t, r, nil)
	seen, err := p.Check(t.Context())
	_ = checking.WantFault(t, err, redis.ReasonOutOfMemory)
	if limit, _ := seen.Find("memory_max"); limit != 1000 {
		t.Errorf("memory_max = %v, want 1000", limit)
	}
	redisDo(t, r, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "0")
	checking.Healthy(t, p)
}

func TestRedisTooManyConnections(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "CONFIG", "SET", "maxclients", "1")
	held, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	// An answer, even a refusal of one for lack of a login, shows that the slot is taken.
	if _, err := io.WriteString(held, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(held).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p := newRedis(t, r, nil)
	checking.Fails(t, p, health.ReasonTooManyConnections)
	checking.Fails(t, newRedis(t, r, func(o *redis.Options) { o.Password = nil }), health.ReasonTooManyConnections)
	_ = held.Close()
	poll.Until(t, "a free slot", func() bool { _, err := p.Check(t.Context()); return err == nil })
}

func TestRedisWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	checking.SeveralAddresses(t, 22, r.Port(), false, func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openRedis(t, redis.Options{
			Addr: net.JoinHostPort("several.example", strconv.Itoa(r.Port())), Password: checking.Password(r.Password),
			Timeout: timeout, Lookup: lookup,
		})
	})
}

// Redis and S3 take raw bytes: nothing is prepared.
func TestPasswordsOfOtherServicesAreBytes(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	for name, secret := range map[string]string{
		"prepared alike": "zażółć", "superscript": "x²", "ligature": "oﬃce", "soft hyphen": "a\u00adb",
		"decomposed": "a\u0301", "not UTF-8": "caf\xe9", "emoji": "🔑", "no-break space": "a\u00a0b", "control": "a\x01\x7fb",
	} {
		redisDo(t, r, "acl", "setuser", "bytes", "on", "resetpass", ">"+secret, "allcommands")
		p := newRedis(t, r, func(o *redis.Options) { o.Username, o.Password = "bytes", checking.Password(secret) })
		if _, err := p.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
