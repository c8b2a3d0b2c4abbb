package probe_test

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/database"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/probe"
	"github.com/reims/reims-health/test/servers"
)

const (
	// long is the time of a check that succeeds: its shares are far above what a
	// machine full of tests needs. A check of nothing but dead addresses uses up short.
	long, short = 20 * time.Second, 2 * time.Second

	minioSubnet = 23
)

// severalAddresses returns a lookup that finds, for any name: "alive", the address of
// the servers of these tests; "dead", one that never answers at port; "frozen", one
// that accepts and is silent; "refused", one where nothing listens.
func severalAddresses(t *testing.T, network string, port int, places ...string) dial.LookupFunc {
	t.Helper()
	var addresses []netip.Addr
	for i, place := range places {
		ip := netip.MustParseAddr(network + "." + strconv.Itoa(i+2))
		address := net.JoinHostPort(ip.String(), strconv.Itoa(port))
		switch place {
		case "alive":
			ip = netip.MustParseAddr("127.0.0.1")
		case "dead":
			servers.BlackHole(t, address)
		case "dead6":
			ip = netip.IPv6Loopback()
			servers.BlackHole(t, net.JoinHostPort(ip.String(), strconv.Itoa(port)))
		case "frozen":
			listener, err := net.Listen("tcp", address) // the kernel accepts
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
		}
		addresses = append(addresses, ip)
	}
	return func(context.Context, string) ([]netip.Addr, error) { return addresses, nil }
}

func addressesOf(t *testing.T, subnet int, port int, newChecker func(*testing.T, time.Duration, dial.LookupFunc) health.Checker) {
	t.Helper()
	for i, tt := range []struct {
		name   string
		places []string
		want   health.Reason // or "" for healthy
	}{
		{"first dead", []string{"dead", "alive"}, ""},
		{"last dead", []string{"alive", "dead"}, ""},
		{"middle dead", []string{"alive", "dead", "alive"}, ""},
		{"two dead", []string{"dead", "dead", "alive"}, ""},
		{"refused and dead", []string{"refused", "dead", "alive"}, ""},
		{"IPv6 dead", []string{"dead6", "alive"}, ""},
		{"first frozen", []string{"frozen", "alive"}, ""},
		{"frozen and dead", []string{"frozen", "dead", "alive"}, ""},
		{"all dead", []string{"dead", "dead"}, health.Timeout},
		{"all refused", []string{"refused", "refused"}, health.Refused},
		{"none but refused and dead", []string{"refused", "dead"}, health.Timeout},
		{"all frozen", []string{"frozen", "frozen"}, health.Timeout},
	} {
		if subnet == minioSubnet && tt.name == "IPv6 dead" {
			continue // MinIO listens on ::1 by itself
		}
		t.Run(tt.name, func(t *testing.T) { // not parallel: ::1 is there once
			lookup := severalAddresses(t, "127."+strconv.Itoa(subnet)+"."+strconv.Itoa(i), port, tt.places...)
			timeout := long
			if tt.want != "" {
				timeout = short
			}
			checker := newChecker(t, timeout, lookup)
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			_, err := checker.Check(ctx)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if fault := new(health.Fault); !asFault(err, &fault) || fault.Reason != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func asFault(err error, fault **health.Fault) bool {
	f, ok := err.(*health.Fault) //nolint:errorlint // a checker returns it bare
	if ok {
		*fault = f
	}
	return ok
}

func TestPostgresWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	addressesOf(t, 21, pg.Port(), func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		db, err := database.Open(t.Context(), database.Config{
			Host: "several.example", Port: uint16(pg.Port()), Name: pg.Database, User: pg.User, Password: password(pg.Password),
			MinConns: -1, MaxConns: 2, SkipPing: true,
			ConnectTimeout: timeout, CommandTimeout: timeout, Lookup: lookup,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return probe.NewPostgres(db.Pool(), probe.PostgresOptions{})
	})
}

func TestRedisWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	addressesOf(t, 22, r.Port(), func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openRedis(t, probe.RedisOptions{
			Addr: net.JoinHostPort("several.example", strconv.Itoa(r.Port())), Password: password(r.Password),
			Timeout: timeout, Lookup: lookup,
		})
	})
}

func TestMinIOWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	m := servers.RunMinIO(t, servers.MinIOOptions{})
	addressesOf(t, minioSubnet, m.Port(), func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openMinIO(t, probe.MinIOOptions{
			Endpoint: net.JoinHostPort("several.example", strconv.Itoa(m.Port())), Keys: keys(m.AccessKey, m.SecretKey),
			Timeout: timeout, Lookup: lookup,
		})
	})
}

func TestOllamaWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	o := servers.RunOllama(t, servers.OllamaOptions{Empty: true})
	addressesOf(t, 24, o.Port(), func(t *testing.T, timeout time.Duration, lookup dial.LookupFunc) health.Checker {
		t.Helper()
		return openOllama(t, probe.OllamaOptions{
			// Ollama on a loopback address refuses other host names.
			BaseURL: "http://" + net.JoinHostPort("several.internal", strconv.Itoa(o.Port())),
			Timeout: timeout, Lookup: lookup,
		})
	})
}

// Redis and S3 take raw bytes: nothing is prepared.
func TestPasswordsOfOtherServicesAreBytes(t *testing.T) {
	t.Parallel()
	r := servers.RunRedis(t, servers.RedisOptions{})
	for name, secret := range map[string]string{
		"prepared alike": "zażółć", "superscript": "x²", "ligature": "oﬃce", "soft hyphen": "a\u00adb",
		"decomposed": "a\u0301", "not UTF-8": "caf\xe9", "emoji": "🔑", "no-break space": "a\u00a0b", "control": "a\x01\x7fb",
	} {
		redisDo(t, r, "acl", "setuser", "bytes", "on", "resetpass", ">"+secret, "allcommands")
		p := newRedis(t, r, func(o *probe.RedisOptions) { o.Username, o.Password = "bytes", password(secret) })
		if _, err := p.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
