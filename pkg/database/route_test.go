package database_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/database"
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
	eventually(t, "the server gave the statement up", func() bool {
		n, err := database.Value[int](t.Context(), open(t, serverConfig(server)),
			"select count(*)::int from pg_stat_activity where application_name = 'cancelled statement' and state = 'active'")
		return err == nil && n == 0
	})
}
