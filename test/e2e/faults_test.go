package e2e_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

func TestDatabaseFaults(t *testing.T) {
	t.Parallel()
	pg := runPostgres(t)
	v := newVictimOf(t, "database", postgresVictim(t, pg))
	faults := append(commonFaults(v), loginFaults(t, v)...)
	faults = append(faults, tlsFault(t, v), v.missingDatabase(pg))
	faults = append(faults, v.fullFaults(t, pg)...)
	v.sufferAll(t, append(faults, v.failovers(t, pg)...))
}

func TestRedisFaults(t *testing.T) {
	t.Parallel()
	v := newVictimOf(t, "redis", redisVictim(t))
	faults := append(commonFaults(v), loginFaults(t, v)...)
	v.sufferAll(t, append(faults, tlsFault(t, v)))
}

func TestMinIOFaults(t *testing.T) {
	t.Parallel()
	v := newVictimOf(t, "minio", minioVictim(t))
	faults := append(commonFaults(v), loginFaults(t, v)...)
	v.sufferAll(t, append(faults, tlsFault(t, v)))
}

func TestOllamaFaults(t *testing.T) {
	t.Parallel()
	v := newVictimOf(t, "ollama", ollamaVictim(t))
	v.sufferAll(t, append(commonFaults(v), v.nonsense(t)...))
}

// commonFaults are those that every server can have.
func commonFaults(v *victim) []fault {
	back := sure(func() { v.relay.To(v.server.Addr()) })
	return []fault{
		{
			name: "absent at the start", early: true,
			fail: plain(v.server.Stop), mend: v.server.Start, status: "unhealthy", reason: "refused",
		},
		{name: "killed", fail: plain(v.server.Kill), mend: v.server.Start, status: "unhealthy", reason: "refused"},
		{name: "frozen", fail: plain(v.server.Freeze), mend: plain(v.server.Thaw), status: "unhealthy", reason: "timeout"},
		{
			name: "silent at the start", vars: v.detour(), early: true,
			fail: sure(v.relay.Silence), mend: back, status: "unhealthy", reason: "timeout",
		},
		{
			name: "silent", vars: v.detour(),
			fail: sure(v.relay.Silence), mend: back, status: "unhealthy", reason: "timeout",
		},
	}
}

// loginFaults: before the service was proven a refused login is as bad as no
// server, after it the sidecar's own matter.
func loginFaults(t *testing.T, v *victim) []fault {
	t.Helper()
	wrong, rotated := rand.Text(), rand.Text()
	file := filepath.Join(t.TempDir(), "secret")
	write := func(value string) error { return os.WriteFile(file, []byte(value+"\n"), 0o600) }
	must(t, write(v.password()))
	return []fault{
		{
			name: "wrong secret", vars: with(nil, v.secret, wrong), early: true,
			fail: nothing, mend: func(ctx context.Context) error { return v.setSecret(ctx, wrong) },
			status: "unhealthy", reason: "auth",
		},
		{
			name: "rotated secret", vars: with(with(nil, v.secret, ""), v.secret+"_FILE", file),
			fail: steps(func(ctx context.Context) error { return v.setSecret(ctx, rotated) }, v.hangUp),
			mend: plain(func() error { return write(rotated) }), status: "degraded", reason: "auth",
		},
		{
			name: "secret not mounted yet", vars: with(with(nil, v.secret, ""), v.secret+"_FILE", file), early: true,
			fail: plain(func() error { return os.Remove(file) }),
			mend: plain(func() error { return write(v.password()) }), status: "unhealthy", reason: "auth",
		},
	}
}

// tlsFault asks for TLS where none is offered, until the relay leads to a server
// that has it.
func tlsFault(t *testing.T, v *victim) fault {
	t.Helper()
	var secured interface {
		servers.Server
		Addr() string
	}
	switch v.service {
	case "database":
		secured = servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
	case "redis":
		secured = servers.RunRedis(t, servers.RedisOptions{TLS: true})
	case "minio":
		secured = servers.RunMinIO(t, servers.MinIOOptions{TLS: true})
	}
	vars := append(secured.Env(), v.detour()...)
	if v.service == "redis" {
		vars = with(vars, "REDIS_USERNAME", "")
	}
	if v.service == "database" {
		vars = with(with(with(vars, "DATABASE_SSLMODE", ""), "DATABASE_SSLROOTCERT", ""), "ENVIRONMENT", "production")
	}
	return fault{
		name: "TLS not offered", vars: vars, early: true,
		fail: nothing, mend: sure(func() { v.relay.To(secured.Addr()) }), status: "unhealthy", reason: "tls",
	}
}
