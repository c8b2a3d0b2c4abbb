package servers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/test/servers"
)

func TestRedisFaults(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	testFaults(t, r, func(ctx context.Context) error { return r.Do(ctx, "SET", "key", "value") })
}

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{TLS: true, Config: []string{"maxmemory 2mb"}})
	client := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: r.Password, TLSConfig: trust(t, r.CAFile())})
	defer client.Close()
	got, err := client.ConfigGet(t.Context(), "maxmemory").Result()
	if err != nil || got["maxmemory"] != "2097152" {
		t.Errorf("maxmemory is %v (%v), want 2097152", got, err)
	}
}

func TestRedisWantsThePassword(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	client := redis.NewClient(&redis.Options{Addr: r.Addr()})
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); !redis.IsAuthError(err) {
		t.Errorf("ping without a password: %v, want an authentication error", err)
	}
}

func TestStartShowsTheLog(t *testing.T) {
	t.Parallel()
	r, err := servers.NewRedis(servers.RedisOptions{
		Options: servers.Options{Dir: t.TempDir()}, Config: []string{"no-such-directive 1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("start with a bad configuration: %v, want the server's words", err)
	}
	if r.Running() {
		t.Error("it runs")
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	if err := r.Start(t.Context()); err == nil {
		t.Error("a running server was started again")
	}
}

// A frozen server is thawed, so that it can end in order.
func TestStopThaws(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.LogTail(), "User requested shutdown") {
		t.Errorf("it was killed; its log ends:\n%s", r.LogTail())
	}
}
