package redis_test

import (
	"context"
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

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

func TestRedisStoppedAndFrozen(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	const timeout = 500 * time.Millisecond
	p := newRedis(t, r, func(o *redis.Options) { o.Timeout = timeout })
	fresh := newRedis(t, r, func(o *redis.Options) { o.Timeout = timeout })
	checking.Survives(t, r, timeout, p, fresh)
}

func TestRedisUnknownHost(t *testing.T) {
	t.Parallel()
	checking.Fails(t, openRedis(t, redis.Options{Addr: "redis.invalid:6379", Timeout: 5 * time.Second}), health.ReasonDNS)
}

func TestRedisUnixSocketMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "redis.sock")
	checking.Fails(t, openRedis(t, redis.Options{Addr: path, Timeout: time.Second}), health.ReasonRefused)
}

func TestRedisTLS(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{TLS: true})
	trusting := newRedis(t, r, func(o *redis.Options) { o.TLS = dependency.TLSConfig(r.CAFile(), "127.0.0.1", nil) })
	checking.Healthy(t, trusting)

	checking.Fails(t, newRedis(t, r, func(o *redis.Options) { o.TLS = dependency.TLSConfig("", "", nil) }), health.ReasonTLS)
	checking.Fails(t, newRedis(t, r, nil), health.ReasonTLS)
	checking.Fails(t, newRedis(t, r, func(o *redis.Options) {
		o.TLS = dependency.TLSConfig(r.CAFile(), "127.0.0.1", nil)
		o.TLS.ServerName = "elsewhere.example"
	}), health.ReasonTLS)

	file := filepath.Join(t.TempDir(), "ca.crt")
	late := newRedis(t, r, func(o *redis.Options) { o.TLS = dependency.TLSConfig(file, "127.0.0.1", nil) })
	checking.Fails(t, late, health.ReasonTLS)
	ca, err := os.ReadFile(r.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		content string
		ok      bool
	}{{"not a certificate", false}, {string(ca), true}} {
		if err := os.WriteFile(file, []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if step.ok {
			checking.Healthy(t, late)
		} else {
			checking.Fails(t, late, health.ReasonTLS)
		}
	}

	redisDo(t, r, "CONFIG", "SET", "tls-auth-clients", "yes")
	late.Redial()
	checking.Fails(t, late, health.ReasonTLS) // it asks for a certificate, and says so in an alert
}

func TestRedisTLSNotOffered(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	p := newRedis(t, r, func(o *redis.Options) { o.TLS, o.Timeout = dependency.TLSConfig("", "", nil), time.Second })
	if f := checking.Fault(t, p, health.ReasonTLS); !strings.Contains(f.Message, "REDIS_TLS") {
		t.Errorf("message %q does not mention REDIS_TLS", f.Message)
	}
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	checking.Fails(t, p, health.ReasonTimeout) // nothing shows whether it would offer TLS
	if err := r.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func TestRedisWrongServer(t *testing.T) {
	t.Parallel()
	const info = "$40\r\nredis_version:7.0.15\r\nrole:master\r\nused_mem\r\n"
	for name, test := range map[string]struct {
		serve  func(net.Conn)
		reason health.Reason
	}{
		"HTTP":           {replying("HTTP/1.1 400 Bad Request\r\n\r\n"), health.ReasonProtocol},
		"SSH":            {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); checking.Drain(c) }, health.ReasonProtocol},
		"no PONG":        {replying("+OK\r\n" + info), health.ReasonProtocol},
		"no INFO":        {replying("+PONG\r\n$5\r\nhello\r\n"), health.ReasonProtocol},
		"TLS":            {checking.ServeTLS(t), health.ReasonTLS},
		"endless line":   {func(c net.Conn) { checking.Flood(c, "+"+strings.Repeat("x", 64<<10)) }, health.ReasonProtocol},
		"closes":         {func(net.Conn) {}, health.ReasonReset},
		"writes refused": {replying("-MISCONF Redis is configured to save RDB snapshots\r\n"), health.ReasonReadOnly},
		"script":         {replying("-BUSY Redis is busy running a script\r\n"), health.ReasonError},
		"protected mode": {func(c net.Conn) { _, _ = io.WriteString(c, "-DENIED Redis is running in protected mode\r\n") }, health.ReasonAuth},
		"unknown error":  {replying("-WEIRD canary\r\n"), health.ReasonError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := checking.Fault(t, openRedis(t, redis.Options{Addr: checking.Answering(t, test.serve), Timeout: 5 * time.Second}), test.reason)
			if strings.Contains(f.Message, "canary") {
				t.Errorf("message %q carries the server's text", f.Message)
			}
		})
	}
}

func TestRedisLeaksNothing(t *testing.T) {
	frozen := servers.RunRedis(t, servers.RedisOptions{})
	if err := frozen.Freeze(); err != nil {
		t.Fatal(err)
	}
	gone := checking.Listen(t)
	_ = gone.Close()
	for name, addr := range map[string]string{
		"refused": gone.Addr().String(),
		"frozen":  frozen.Addr(),
		"garbage": checking.Answering(t, checking.Saying("garbage\r\n")),
		"closes":  checking.Answering(t, func(net.Conn) {}),
	} {
		t.Run(name, func(t *testing.T) {
			p := openRedis(t, redis.Options{Addr: addr, Timeout: 20 * time.Millisecond})
			checking.LeaksNothing(t, func() {
				if _, err := p.Check(t.Context()); err == nil {
					t.Fatal("Check succeeded")
				}
			})
		})
	}
	if err := frozen.Thaw(); err != nil {
		t.Fatal(err)
	}
}

// A server that is down is dialled by checks and by nothing else.
func TestRedisDialsOnceACheck(t *testing.T) {
	t.Parallel()
	var dials atomic.Int64
	p := openRedis(t, redis.Options{
		Addr: checking.Answering(t, func(net.Conn) { dials.Add(1) }), TLS: dependency.TLSConfig("", "", nil), Timeout: time.Second,
	})
	for range 10 {
		if _, err := p.Check(t.Context()); err == nil {
			t.Fatal("Check succeeded")
		}
	}
	if got := dials.Load(); got != 10 {
		t.Errorf("10 checks dialled %d times", got)
	}
}

func TestRedisObeysItsContext(t *testing.T) {
	t.Parallel()
	p := openRedis(t, redis.Options{Addr: checking.Answering(t, checking.Drain), Timeout: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := p.Check(ctx)
	_ = checking.WantFault(t, err, health.ReasonTimeout)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Check returned %v after its context was done", took)
	}
}

// replying answers each command with reply.
func replying(reply string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			commands := strings.Count(string(buf[:n]), "*")
			if _, err := io.WriteString(c, strings.Repeat(reply, commands)); err != nil {
				return
			}
		}
	}
}
