package e2e_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// victim is a server that a test breaks, with a login of the sidecar's own.
type victim struct {
	service string
	server  process
	// vars are those to log in with. The secret one is among them.
	vars   []servers.Var
	secret string       // its name, or "" where there is no login
	relay  *relay.Relay // a detour to the server

	setSecret   func(ctx context.Context, value string) error
	hangUp      func(ctx context.Context) error // on the sidecar
	connections func(ctx context.Context) (int, error)
}

type process interface {
	Addr() string
	Running() bool
	Start(ctx context.Context) error
	Stop() error
	Kill() error
	Freeze() error
	Thaw() error
}

// password returns the value of the secret variable.
func (v *victim) password() string {
	i := slices.IndexFunc(v.vars, func(x servers.Var) bool { return x.Name == v.secret })
	return v.vars[i].Value
}

// env returns the sidecar's variables: the victim's, and the bystanders' for the
// other services.
func (v *victim) env(t testing.TB, more ...servers.Var) []servers.Var {
	t.Helper()
	timing := servers.Var{Name: strings.ToUpper(v.service) + "_PROBE_TIMEOUT", Value: timeout.String()}
	return slices.Concat(bystanders.env(t), v.vars, []servers.Var{timing}, more)
}

// detour returns the variables that reach the victim through its relay.
func (v *victim) detour() []servers.Var { return servers.At(v.service, v.relay.Addr()) }

// newVictimOf completes a victim.
func newVictimOf(t *testing.T, service string, v *victim) *victim {
	t.Helper()
	v.service = service
	v.vars = append(v.vars, servers.At(service, v.server.Addr())...)
	v.relay = startRelay(t, v.server.Addr())
	if v.connections == nil {
		v.connections = func(context.Context) (int, error) {
			accepted, _, err := servers.CountConnections(v.server.Addr())
			return accepted, err
		}
	}
	return v
}

// runPostgres starts a PostgreSQL with few slots and a role "app".
func runPostgres(t *testing.T) *servers.Postgres {
	t.Helper()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"max_connections": "12"}})
	must(t, pg.SQL(t.Context(), "create role app login"))
	return pg
}

func postgresVictim(t *testing.T, pg *servers.Postgres) *victim {
	t.Helper()
	v := &victim{server: pg, secret: "DATABASE_PASSWORD"}
	v.setSecret = func(ctx context.Context, value string) error {
		return pg.SQL(ctx, "alter role app password '"+value+"'")
	}
	v.hangUp = func(ctx context.Context) error {
		return pg.SQL(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'")
	}
	v.connections = func(ctx context.Context) (n int, err error) {
		conn, err := pgx.Connect(ctx, pg.URL())
		if err != nil {
			return 0, err
		}
		defer conn.Close(ctx)
		err = conn.QueryRow(ctx, "select count(*) from pg_stat_activity where usename = 'app'").Scan(&n)
		return n, err
	}
	password := rand.Text()
	must(t, v.setSecret(t.Context(), password))
	v.vars = []servers.Var{
		{Name: "DATABASE_NAME", Value: pg.Database}, {Name: "DATABASE_USER", Value: "app"}, {Name: v.secret, Value: password},
	}
	return v
}

func redisVictim(t *testing.T) *victim {
	t.Helper()
	password := rand.Text()
	r := servers.RunRedis(t, servers.RedisOptions{Config: []string{"user app on >" + password + " ~* +@all"}})
	v := &victim{server: r, secret: "REDIS_PASSWORD"}
	v.vars = []servers.Var{{Name: "REDIS_USERNAME", Value: "app"}, {Name: v.secret, Value: password}}
	v.setSecret = func(ctx context.Context, value string) error {
		return r.Do(ctx, "ACL", "SETUSER", "app", "resetpass", ">"+value)
	}
	v.hangUp = func(ctx context.Context) error { return r.Do(ctx, "CLIENT", "KILL", "USER", "app") }
	v.connections = func(ctx context.Context) (int, error) {
		client := redis.NewClient(&redis.Options{Addr: r.Addr(), Password: r.Password, DisableIdentity: true})
		defer client.Close()
		list, err := client.ClientList(ctx).Result()
		return strings.Count(list, " user=app "), err
	}
	return v
}

// anyBucket lets a key do everything in every bucket.
const anyBucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`

func minioVictim(t *testing.T) *victim {
	t.Helper()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	key, err := m.AddKey(t.Context(), anyBucket)
	must(t, err)
	return &victim{
		server: m, secret: "MINIO_SECRET_KEY",
		vars: []servers.Var{
			{Name: "MINIO_ACCESS_KEY", Value: key.AccessKey}, {Name: "MINIO_SECRET_KEY", Value: key.SecretKey},
		},
		setSecret: func(ctx context.Context, value string) error { return m.SetSecret(ctx, key.AccessKey, value) },
		hangUp:    func(context.Context) error { return nil }, // each request is signed anew
	}
}

func ollamaVictim(t *testing.T) *victim {
	t.Helper()
	return &victim{server: servers.RunOllama(t, servers.OllamaOptions{})}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
