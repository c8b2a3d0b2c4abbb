package redis_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/idle"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/servers"
)

// watchedRedis returns a checker whose idle connection is watched.
func watchedRedis(t *testing.T, r *servers.Redis, edit func(*redis.Options)) (*redis.Checker, *idle.Watch) {
	t.Helper()
	watch := idle.NewWatch()
	return newRedis(t, r, func(o *redis.Options) {
		o.Idle = watch
		if edit != nil {
			edit(o)
		}
	}), watch
}

// What ends Redis is told by its connections, with TLS and without.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"killed": false, "killed, with TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := servers.RunRedis(t, servers.RedisOptions{TLS: secure})
			checker, watch := watchedRedis(t, r, func(o *redis.Options) {
				if secure {
					o.TLS = dependency.TLSConfig(r.CAFile(), "127.0.0.1", nil)
				}
			})
			checking.TellsOfLoss(t, checker, watch, r.Kill)
		})
	}
}

// A server that closes idle connections on purpose is not checked in a loop.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	const closing = time.Second
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"timeout 1"}})
	checker, watch := watchedRedis(t, r, nil)
	checking.ReconnectsOnce(t, checker, watch, 2*closing) // Redis looks once per second
}

// The watching reads nothing: the same connection answers the checks after it.
func TestWatchedConnectionIsKept(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	w := checking.NewWire(t, r.Addr())
	checker, watch := watchedRedis(t, r, func(o *redis.Options) { o.Addr = w.Addr() })
	checking.KeepsWatched(t, w, checker, watch)
}
