package database_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// severalAddresses makes a host name of a network of 127/8: "alive" stands for the
// server's own address, "dead" for one that never answers, "frozen" for one that
// accepts and is silent, "refused" for one where nothing listens.
func severalAddresses(t *testing.T, pg *servers.Postgres, network string, places ...string) database.Config {
	t.Helper()
	var addresses []netip.Addr
	for i, place := range places {
		ip := netip.MustParseAddr(network + "." + strconv.Itoa(i+2))
		address := net.JoinHostPort(ip.String(), strconv.Itoa(pg.Port()))
		switch place {
		case "alive":
			ip = netip.MustParseAddr(pg.Host())
		case "dead":
			servers.BlackHole(t, address)
		case "frozen":
			listener, err := net.Listen("tcp", address) // the kernel accepts
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
		}
		addresses = append(addresses, ip)
	}
	config := serverConfig(pg)
	config.Host, config.ConnectTimeout = "several.example", 20*time.Second
	config.Lookup = func(context.Context, string) ([]netip.Addr, error) { return addresses, nil }
	return config
}

func TestHostWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	secure := servers.RunPostgres(t, servers.PostgresOptions{TLS: true})
	tests := map[string][]string{
		"first dead":                {"dead", "alive"},
		"last dead":                 {"alive", "dead"},
		"middle dead":               {"alive", "dead", "alive"},
		"two dead":                  {"dead", "dead", "alive"},
		"first frozen":              {"frozen", "alive"},
		"last frozen":               {"alive", "frozen"},
		"refused, dead, and frozen": {"refused", "dead", "frozen", "alive"},
	}
	subnet := 0
	for name, places := range tests {
		for mode, pg := range map[string]*servers.Postgres{"disable": server, "prefer": server, "require": secure, "allow": secure} {
			subnet++
			network := "127.9." + strconv.Itoa(subnet)
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				config := severalAddresses(t, pg, network, places...)
				config.SSLMode = mode
				ctx, cancel := context.WithTimeout(t.Context(), config.ConnectTimeout)
				defer cancel()
				db, err := database.Connect(ctx, config)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Health(t.Context()); err != nil {
					t.Error(err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A refusal of the server is told, not the silence of another address.
func TestMostTellingAddress(t *testing.T) {
	t.Parallel()
	for i, tt := range []struct {
		places   []string
		user     string
		code     string
		timeout  bool
		refusals bool
	}{
		{places: []string{"alive", "dead"}, user: "nobody", code: "28P01"},
		{places: []string{"dead", "alive"}, user: "nobody", code: "28P01"},
		{places: []string{"dead", "dead"}, timeout: true},
		{places: []string{"refused", "dead"}, timeout: true},
		{places: []string{"refused", "refused"}, refusals: true},
		{places: []string{"frozen", "frozen"}, timeout: true},
	} {
		config := severalAddresses(t, server, "127.8."+strconv.Itoa(i), tt.places...)
		config.SSLMode, config.ConnectTimeout = "prefer", 2*time.Second
		if tt.user != "" {
			config.User = tt.user
		}
		_, err := database.Connect(t.Context(), config)
		var own *database.Error
		if !errors.As(err, &own) || own.Code != tt.code {
			t.Errorf("%v: got %v, want the code %q", tt.places, err, tt.code)
			continue
		}
		var network net.Error
		if got := errors.As(err, &network) && network.Timeout(); got != tt.timeout {
			t.Errorf("%v: a timeout: %t: %v", tt.places, got, err)
		}
		if got := errors.Is(err, syscall.ECONNREFUSED) && !tt.timeout; got != tt.refusals {
			t.Errorf("%v: refused: %t: %v", tt.places, got, err)
		}
	}
}

// pgx dials the address of a connection to cancel its statement.
func TestCancelReachesTheAddress(t *testing.T) {
	t.Parallel()
	config := severalAddresses(t, server, "127.7.1", "dead", "alive")
	config.ApplicationName = "cancelled statement"
	db := open(t, config)
	if _, err := db.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := database.Exec(ctx, db, "select pg_sleep(60)"); err == nil {
		t.Fatal("the statement was not cancelled")
	}
	poll.Until(t, "the server gave the statement up", func() bool {
		n, err := database.Value[int](t.Context(), open(t, serverConfig(server)),
			"select count(*)::int from pg_stat_activity where application_name = 'cancelled statement' and state = 'active'")
		return err == nil && n == 0
	})
}

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

// Not parallel: it counts what the whole process allocates. What such a server
// says looks like a message of 842 MB, which must not be made room for.
func TestMaxMessageBoundsMemory(t *testing.T) {
	const limit = 1 << 20
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() { floodAll(listener, bytes.Repeat([]byte("220 mail.example ESMTP\r\n"), 1<<10)) })
	db := open(t, database.Config{
		Host: "127.0.0.1", Port: uint16(listener.Addr().(*net.TCPAddr).Port),
		SSLMode: "disable", MinConns: -1, MaxMessage: limit,
	})

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = db.Health(t.Context())
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("garbage passed for PostgreSQL")
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > limit {
		t.Errorf("garbage had %d KiB allocated", allocated>>10)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	server.Wait()
}

// floodAll sends text to each client for as long as it takes it.
func floodAll(listener net.Listener, text []byte) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		for err == nil {
			_, err = conn.Write(text)
		}
		_ = conn.Close()
	}
}

// A message of an ordinary size passes, one that is longer breaks the connection.
func TestMaxMessage(t *testing.T) {
	t.Parallel()
	config := serverConfig(server)
	config.MaxMessage = 64 << 10
	db := open(t, config)
	const text = "select repeat('x', $1)"
	if got, err := database.Value[string](t.Context(), db, text, 60<<10); err != nil || len(got) != 60<<10 {
		t.Errorf("below: got %d bytes, %v", len(got), err)
	}
	if _, err := database.Value[string](t.Context(), db, text, 64<<10); err == nil {
		t.Error("above: no error")
	}
	if _, err := database.Value[int](t.Context(), db, "select 1"); err != nil {
		t.Error("after:", err)
	}
}
