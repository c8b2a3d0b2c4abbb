package postgres_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// pgPatience is the deadline of a check that is expected to come back by itself,
// pgTimeout of one that is not.
const (
	pgPatience = 30 * time.Second
	pgTimeout  = 2 * time.Second
)

// pgAddress returns the server's URL, changed by edit.
func pgAddress(t *testing.T, pg *servers.Postgres, edit func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	edit(u)
	return u.String()
}

// pgRole makes a role without rights of its own and returns the URL to log in as.
func pgRole(t *testing.T, pg *servers.Postgres, name, options string) string {
	t.Helper()
	if err := pg.SQL(t.Context(), "CREATE ROLE "+name+" LOGIN PASSWORD 'canary-"+name+"' "+options); err != nil {
		t.Fatal(err)
	}
	return pgAddress(t, pg, func(u *url.URL) { u.User = url.UserPassword(name, "canary-"+name) })
}

// pgPool opens a pool as the sidecar's is.
func pgPool(t *testing.T, address string, edit ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns, cfg.ConnConfig.ConnectTimeout = 2, pgPatience
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.RuntimeParams["application_name"] = "reims-health"
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	for _, e := range edit {
		e(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// pgNew returns a checker that uses pool, of a service with the variables DATABASE_*.
func pgNew(pool *pgxpool.Pool, options postgres.Options) *postgres.Checker {
	options.Pool, options.Prefix = pool, "DATABASE_"
	options.SchemaInterval = cmp.Or(options.SchemaInterval, time.Nanosecond) // each check reads the version
	return postgres.New(options)
}

// pgImpatient bounds dials by pgTimeout, as the sidecar's pool bounds them by the
// probe's timeout.
func pgImpatient(cfg *pgxpool.Config) { cfg.ConnConfig.ConnectTimeout = pgTimeout }

func pgCheck(t *testing.T, p *postgres.Checker, timeout time.Duration) (health.Observation, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	start := time.Now()
	observation, err := p.Check(ctx)
	if late := time.Since(start) - timeout; late > 10*time.Second {
		t.Errorf("Check() came back %v after its deadline", late)
	}
	return observation, err
}

func pgHealthy(t *testing.T, p *postgres.Checker) health.Observation {
	t.Helper()
	observation, err := pgCheck(t, p, pgPatience)
	if err != nil {
		t.Fatalf("Check() = %v, want none", err)
	}
	return observation
}

// pgFault wants a fault with that reason and a message that tells nothing of the
// server, the login or the driver's text. It returns the message.
func pgFault(t *testing.T, err error, want health.Reason, pool *pgxpool.Pool) (message string) {
	t.Helper()
	var fault *health.Fault
	if !errors.As(err, &fault) {
		t.Fatalf("Check() = %v, want a fault of reason %s", err, want)
	}
	if fault.Reason != want {
		t.Fatalf("reason is %s, want %s: %v", fault.Reason, want, err)
	}
	cfg := pool.Config().ConnConfig
	private := []string{cfg.Host, cfg.User, cfg.Password, "canary"}
	if fault.Err != nil {
		private = append(private, fault.Err.Error())
	}
	for _, secret := range private {
		if secret != "" && strings.Contains(fault.Message, secret) {
			t.Errorf("message %q tells %q", fault.Message, secret)
		}
	}
	return fault.Message
}

func pgWantNumber(t *testing.T, o health.Observation, name string, want float64) {
	t.Helper()
	if got, ok := o.Find(name); !ok || got != want {
		t.Errorf("%s = %v (there: %t), want %v", name, got, ok, want)
	}
}

// pgSettled waits until n clients but our own are connected: a connection that was
// closed is seen by the server for a moment more.
func pgSettled(t *testing.T, pg *servers.Postgres, n int) {
	t.Helper()
	const count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'reims-health'"
	pool := pgPool(t, pg.URL())
	defer pool.Close()
	poll.Until(t, fmt.Sprintf("%d clients", n), func() bool {
		var got int
		return pool.QueryRow(t.Context(), count).Scan(&got) == nil && got == n
	})
}

// pgWantUsed polls for the same reason.
func pgWantUsed(t *testing.T, p *postgres.Checker, want float64) {
	t.Helper()
	poll.Until(t, fmt.Sprintf("connections_used = %v", want), func() bool {
		got, ok := pgHealthy(t, p).Find("connections_used")
		return ok && got == want
	})
}

// pgAnswering is the address of something that is not PostgreSQL.
func pgAnswering(t *testing.T, sslmode string, serve func(net.Conn)) string {
	t.Helper()
	return "postgres://canary_user:canary@" + checking.Answering(t, serve) + "/reims?sslmode=" + sslmode
}

// silent accepts and never answers.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// pgStatements counts statements.
type pgStatements struct{ atomic.Int64 }

func (c *pgStatements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.Add(1)
	return ctx
}

func (c *pgStatements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
