package postgres_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

// sampled counts the API's connections in every check.
var sampled = postgres.Options{AppConnections: true, AppInterval: time.Nanosecond}

// pgAppCounts returns the count, or nil where there is none.
func pgAppCounts(o health.Observation) map[string]float64 {
	var counts map[string]float64
	for _, m := range o.Values {
		if state, ok := strings.CutPrefix(m.Name, "app_connections_"); ok {
			if counts == nil {
				counts = map[string]float64{}
			}
			counts[state] = m.Number
		}
	}
	return counts
}

func pgWantApp(t *testing.T, o health.Observation, want map[string]float64) {
	t.Helper()
	if diff := cmp.Diff(want, pgAppCounts(o)); diff != "" {
		t.Errorf("the API's connections (-want +got):\n%s", diff)
	}
}

func pgCounts(active, idle, inTransaction, other float64) map[string]float64 {
	return map[string]float64{"active": active, "idle": idle, "idle_in_transaction": inTransaction, "other": other}
}

// from dials from that address, as another Pod would.
func from(address string) func(*pgxpool.Config) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return func(cfg *pgxpool.Config) { cfg.ConnConfig.DialFunc = dialer.DialContext }
}

// asAPI is how an API's connections look: no application_name at all.
func asAPI(cfg *pgxpool.Config) {
	cfg.MaxConns = 10
	delete(cfg.ConnConfig.RuntimeParams, "application_name")
}

// pgAPI opens connections in every state: one active, two idle, one idle in
// transaction and one in a failed one. It returns when the server sees them so.
func pgAPI(t *testing.T, address string, edit ...func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	pool := pgPool(t, address, append(edit, asAPI)...)
	conns := make([]*pgxpool.Conn, 5)
	for i := range conns {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Release)
		conns[i] = conn
	}
	for i, statement := range []string{"BEGIN", "BEGIN; SELECT 1/0"} {
		// The second fails, as it should.
		if _, err := conns[i].Conn().PgConn().Exec(t.Context(), statement).ReadAll(); err != nil && i == 0 {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = conns[2].Exec(ctx, "SELECT pg_sleep(600)") // until it is cancelled
	}()
	t.Cleanup(func() { cancel(); <-ended })
	poll.Until(t, "the API's statement runs", func() bool {
		var running bool
		err := conns[3].QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND state = 'active')",
			int(conns[2].Conn().PgConn().PID())).Scan(&running)
		return err == nil && running
	})
	return pool
}

func TestPostgresAppConnections(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{HBA: []string{"host all all 127.0.0.0/8 scram-sha-256"}})
	app, other, monitor := pgRole(t, pg, "app", ""), pgRole(t, pg, "other", ""), pgRole(t, pg, "monitor", "IN ROLE pg_monitor")
	pgAPI(t, app)
	pgAPI(t, app, from("127.0.0.2")) // another Pod's
	pgSettled(t, pg, 10)
	all := pgCounts(1, 2, 2, 0)

	unnamed := func(cfg *pgxpool.Config) { delete(cfg.ConnConfig.RuntimeParams, "application_name") }
	for name, c := range map[string]struct {
		login   string
		edit    []func(*pgxpool.Config)
		options postgres.Options
		want    map[string]float64
	}{
		"superuser":                  {pg.URL(), nil, sampled, all},
		"the API's own role":         {app, nil, sampled, all},
		"a monitoring role":          {monitor, nil, sampled, all},
		"a role that sees no others": {other, nil, sampled, nil},
		"no name to tell us by":      {monitor, []func(*pgxpool.Config){from("127.0.0.4"), unnamed}, sampled, nil},
		"off":                        {app, nil, postgres.Options{}, nil},
		"a Pod with no API":          {monitor, []func(*pgxpool.Config){from("127.0.0.3")}, sampled, pgCounts(0, 0, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := pgPool(t, c.login, c.edit...)
			pgWarm(t, pool, 2) // neither of our own two counts
			pgWantApp(t, pgHealthy(t, pgNew(pool, c.options)), c.want)
		})
	}
	t.Run("address translated on the way", func(t *testing.T) {
		t.Parallel()
		wire := checking.NewWire(t, pg.Addr())
		address := pgAddress(t, pg, func(u *url.URL) { u.Host = wire.Addr() })
		pgWantApp(t, pgHealthy(t, pgNew(pgPool(t, address, from("127.0.0.3")), sampled)), nil)
	})
}

// An unprivileged role sees none while the API has none, which proves nothing;
// once it saw one, zero is the truth.
func TestPostgresAppConnectionsOfAnUnprivilegedRole(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	app := pgRole(t, pg, "app", "")
	p := pgNew(pgPool(t, app), sampled)
	pgWantApp(t, pgHealthy(t, p), nil)

	api := pgPool(t, app, asAPI)
	pgWarm(t, api, 2)
	pgWantApp(t, pgHealthy(t, p), pgCounts(0, 2, 0, 0))

	api.Close()
	poll.Until(t, "a count of zero", func() bool {
		return cmp.Equal(pgAppCounts(pgHealthy(t, p)), pgCounts(0, 0, 0, 0))
	})
}

// The time between two counts grows with the square of the number of Pods, so that all of
// them together read at most 1,000 rows per second, each Pod having one.
func TestPostgresAppConnectionsOfAFleet(t *testing.T) {
	t.Parallel()
	const least, checks = 30 * time.Second, 5 * time.Second
	for pods, want := range map[int]time.Duration{
		-1: least, 0: least, 1: least, 100: least, 170: least, 173: least,
		200: 40 * time.Second, 500: 250 * time.Second, 1000: 1000 * time.Second, 4000: 16_000 * time.Second,
	} {
		t.Run(strconv.Itoa(pods), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				schedules := make([]postgres.AppSchedule, max(1, min(pods, 200)))
				count := func(d time.Duration) (taken int) {
					for range d / checks {
						for i := range schedules {
							if schedules[i].Due(least, pods) {
								taken++
							}
						}
						time.Sleep(checks)
					}
					return taken
				}
				count(want) // each has begun
				if n := count(4 * want); n < 3*len(schedules) || n > 5*len(schedules) {
					t.Errorf("%d counts of %d Pods in four times %s", n, len(schedules), want)
				}
				for i := range schedules { // a server that was away
					schedules[i].Forget()
				}
				first := count(checks)
				if few := max(10, len(schedules)/3); want > least && first > few {
					t.Errorf("%d of %d Pods count at once when the server is back, want at most %d", first, len(schedules), few)
				} else if want == least && first != len(schedules) {
					t.Errorf("%d of %d Pods count at once when the server is back, want all", first, len(schedules))
				}
			})
		})
	}
}

func TestPostgresAppConnectionsAreKept(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	api := pgPool(t, pg.URL(), asAPI)
	p := pgNew(pgPool(t, pg.URL(), pgImpatient), postgres.Options{AppConnections: true})
	pgWarm(t, api, 3)
	pgSettled(t, pg, 3)
	pgWantApp(t, pgHealthy(t, p), pgCounts(0, 3, 0, 0))
	api.Reset()
	for range 3 {
		pgWantApp(t, pgHealthy(t, p), pgCounts(0, 3, 0, 0))
	}

	// An outage ends what the count was about: it goes, and is taken anew.
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	o, err := pgCheck(t, p, pgPatience)
	if err == nil {
		t.Fatal("a stopped server is not healthy")
	}
	pgWantApp(t, o, nil)
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	pgSettled(t, pg, 0)
	pgWantApp(t, pgHealthy(t, p), pgCounts(0, 0, 0, 0))
}

func TestPostgresAppConnectionsOnASocket(t *testing.T) {
	t.Parallel()
	directory := pgSocketDirectory(t)
	pg := servers.RunPostgres(t, servers.PostgresOptions{
		Settings: map[string]string{"unix_socket_directories": directory},
		HBA:      []string{"host all all 127.0.0.1/32 scram-sha-256", "local all all scram-sha-256"},
	})
	address := pgAddress(t, pg, func(u *url.URL) {
		q := u.Query()
		q.Set("host", directory)
		q.Set("port", u.Port())
		u.Host, u.RawQuery = "", q.Encode()
	})
	pgAPI(t, pg.URL())
	pgWantApp(t, pgHealthy(t, pgNew(pgPool(t, address), sampled)), nil)
}

// pgSocketDirectory is one that the server's user may write to.
func pgSocketDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "reims-health-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	return directory
}
