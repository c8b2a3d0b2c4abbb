package probe_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
	"github.com/reims/reims-health/test/servers"
)

// newRedis returns a checker of r, changed by edit.
func newRedis(t *testing.T, r *servers.Redis, edit func(*probe.RedisOptions)) *probe.Redis {
	t.Helper()
	options := probe.RedisOptions{Addr: r.Addr(), Password: password(r.Password), Timeout: 5 * time.Second}
	if edit != nil {
		edit(&options)
	}
	return openRedis(t, options)
}

func openRedis(t *testing.T, options probe.RedisOptions) *probe.Redis {
	t.Helper()
	p := probe.NewRedis(options)
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
	p := newRedis(t, r, func(o *probe.RedisOptions) { o.DB = 3 })
	seen := healthy(t, p)

	var names []string
	for _, m := range seen.Measures {
		names = append(names, m.Name)
	}
	want := []string{
		"memory_usage", "memory_peak", "connected_clients", "total_commands", "version", "memory_max", "role",
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
	if version := seen.Measures[4].Text; !strings.Contains(version, ".") {
		t.Errorf("version = %q", version)
	}
	if role := seen.Measures[6].Text; role != "master" {
		t.Errorf("role = %q, want master", role)
	}
	if seen.Latency <= 0 || seen.Latency > 5*time.Second {
		t.Errorf("latency = %v", seen.Latency)
	}
}

func TestRedisOneRoundTrip(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	w := newWire(t, r.Addr())
	p := newRedis(t, r, func(o *probe.RedisOptions) { o.Addr = w.addr() })

	healthy(t, p)
	if got := w.trips.Load(); got != 2 {
		t.Errorf("the first check made %d round trips, want 2: HELLO, and PING with INFO", got)
	}
	for range 10 {
		before := w.trips.Load()
		healthy(t, p)
		if got := w.trips.Load() - before; got != 1 {
			t.Errorf("a check made %d round trips, want 1", got)
		}
	}
	if got := w.dials.Load(); got != 1 {
		t.Errorf("%d connections for 11 checks, want 1", got)
	}
	p.Redial()
	healthy(t, p)
	healthy(t, p)
	if got := w.dials.Load(); got != 2 {
		t.Errorf("%d connections after Redial, want 2", got)
	}
	w.hangUp()
	healthy(t, p) // a connection that died while idle is no failure
	if got := w.dials.Load(); got != 3 {
		t.Errorf("%d connections after one died, want 3", got)
	}
}

func TestRedisLatencyLeavesOutTheDial(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	const slow = 300 * time.Millisecond
	p := newRedis(t, r, func(o *probe.RedisOptions) {
		o.Password = func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, slow)
			defer cancel()
			<-ctx.Done()
			return r.Password, nil
		}
	})
	if seen := healthy(t, p); seen.Latency >= slow {
		t.Errorf("latency = %v, and dialling alone took %v", seen.Latency, slow)
	}
}

func TestRedisLogin(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, r, "ACL", "SETUSER", "noping", "on", ">canary-noping", "+info")
	redisDo(t, r, "ACL", "SETUSER", "probe", "on", ">canary-probe", "+ping", "+info")

	for name, test := range map[string]struct {
		edit   func(*probe.RedisOptions)
		reason health.Reason
		names  string // what the message tells the reader to look at
	}{
		"wrong password":   {func(o *probe.RedisOptions) { o.Password = password("canary-wrong") }, health.Auth, "REDIS_PASSWORD"},
		"no password":      {func(o *probe.RedisOptions) { o.Password = nil }, health.Auth, "REDIS_PASSWORD"},
		"unknown user":     {func(o *probe.RedisOptions) { o.Username = "nobody" }, health.Auth, "REDIS_USERNAME"},
		"unknown database": {func(o *probe.RedisOptions) { o.DB = 99 }, health.DatabaseMissing, "REDIS_DB"},
		"unreadable file": {func(o *probe.RedisOptions) {
			o.Password = func(context.Context) (string, error) { return "", errors.New("open /canary: no such file") }
		}, health.Auth, "REDIS_PASSWORD_FILE"},
		"user may not run PING": {func(o *probe.RedisOptions) {
			o.Username, o.Password = "noping", password("canary-noping")
		}, health.Forbidden, "+ping"},
		"user may not run SELECT": {func(o *probe.RedisOptions) {
			o.DB, o.Username, o.Password = 1, "probe", password("canary-probe")
		}, health.Forbidden, "+select"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fault(t, newRedis(t, r, test.edit), test.reason)
			if !strings.Contains(f.Message, test.names) {
				t.Errorf("message %q does not mention %s", f.Message, test.names)
			}
			if strings.Contains(f.Message, "canary") || f.Err == nil {
				t.Errorf("message %q, cause %v", f.Message, f.Err)
			}
		})
	}
	healthy(t, newRedis(t, r, func(o *probe.RedisOptions) {
		o.Username, o.Password = "probe", password("canary-probe")
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
	p := newRedis(t, r, func(o *probe.RedisOptions) {
		o.Password = func(context.Context) (string, error) {
			b, err := os.ReadFile(file)
			return string(b), err
		}
	})
	healthy(t, p)
	redisDo(t, r, "CONFIG", "SET", "requirepass", "canary-new")
	healthy(t, p) // Redis keeps connections that are logged in
	p.Redial()
	fails(t, p, health.Auth)
	write("canary-new")
	healthy(t, p)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.Redial()
	fails(t, p, health.Auth)
	write("canary-new")
	healthy(t, p)
}

func TestRedisLoading(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{
		"loading-process-events-interval-bytes 1024", "key-load-delay 20000",
	}})
	p := newRedis(t, r, nil)
	healthy(t, p)
	redisDo(t, r, "DEBUG", "POPULATE", "150", "key", "2000")
	done := make(chan error, 1)
	go func() { done <- r.Do(context.WithoutCancel(t.Context()), "DEBUG", "RELOAD") }()
	eventually(t, "LOADING", func() bool {
		_, err := p.Check(t.Context())
		var f *health.Fault
		return errors.As(err, &f) && f.Reason == health.StartingUp
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	healthy(t, p)
}

func TestRedisReplica(t *testing.T) {
	t.Parallel()
	master := servers.RunRedis(t, servers.RedisOptions{})
	replica := servers.RunRedis(t, servers.RedisOptions{})
	redisDo(t, replica, "CONFIG", "SET", "masterauth", master.Password)
	redisDo(t, replica, "REPLICAOF", master.Host(), master.Port())

	p := newRedis(t, replica, nil)
	seen, err := p.Check(t.Context())
	if f := wantFault(t, err, health.ReadOnly); f.Severity != health.Unproven {
		t.Errorf("severity = %v, want Unproven", f.Severity)
	}
	if len(seen.Measures) == 0 {
		t.Error("a replica's figures are missing")
	}
	healthy(t, newRedis(t, replica, func(o *probe.RedisOptions) { o.AllowReplica = true }))
	redisDo(t, replica, "REPLICAOF", "NO", "ONE")
	healthy(t, p)
}

func TestRedisMemoryFull(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"maxmemory 1000", "maxmemory-policy noeviction"}})
	p := newRedis(t, r, nil)
	seen, err := p.Check(t.Context())
	_ = wantFault(t, err, health.OutOfMemory)
	if limit, _ := seen.Find("memory_max"); limit != 1000 {
		t.Errorf("memory_max = %v, want 1000", limit)
	}
	redisDo(t, r, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "0")
	healthy(t, p)
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
	fails(t, p, health.TooManyConnections)
	fails(t, newRedis(t, r, func(o *probe.RedisOptions) { o.Password = nil }), health.TooManyConnections)
	_ = held.Close()
	eventually(t, "a free slot", func() bool { _, err := p.Check(t.Context()); return err == nil })
}
