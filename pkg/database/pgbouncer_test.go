package database_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/servers"
)

// countDials counts the network connections that a pool opens.
func countDials(config *database.Config) *atomic.Int32 {
	dials := new(atomic.Int32)
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return dials
}

// In transaction mode every statement may meet another session.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	bouncer := servers.RunPgBouncer(t, servers.PgBouncerOptions{
		Postgres: pg, Settings: map[string]string{"default_pool_size": "2"},
	})
	config := serverConfig(pg)
	config.Port, config.SSLMode = uint16(bouncer.Port()), "disable"
	config.CommandTimeout = 20 * time.Second
	dials := countDials(&config)
	db := open(t, config)

	timeout, err := database.Value[string](t.Context(), db, "show statement_timeout")
	if err != nil {
		t.Fatal(err)
	}
	if timeout != "0" {
		t.Errorf("statement_timeout %s leaked into the pooler's session", timeout)
	}
	if n := dials.Swap(0); n != 2 {
		t.Errorf("first connection took %d dials, want one with and one without statement_timeout", n)
	}
	db.Pool().Reset()
	if _, err := db.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("the next connection took %d dials: the refusal is forgotten", n)
	}

	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				want := worker*50 + i
				got, err := database.Value[int](t.Context(), db, "select $1::int", want)
				if err != nil || got != want {
					t.Errorf("query %d: got %d, %v", want, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// What a pooler needs costs nothing without one: a dial is one attempt, also one
// that fails.
func TestOneDialAConnection(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	config := serverConfig(pg)
	config.SSLMode = "disable"
	dials := countDials(&config)
	db := open(t, config)
	if _, err := db.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := dials.Swap(0); n != 1 {
		t.Errorf("%d dials for the first connection", n)
	}
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	db.Pool().Reset()
	if _, err := db.Health(t.Context()); err == nil {
		t.Fatal("connected to a dead server")
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d dials of a dead server", n)
	}
}
