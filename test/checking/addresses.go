package checking

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/servers"
)

const (
	// long is the time of a check that succeeds: its shares are far above what a
	// machine full of tests needs. A check of nothing but dead addresses uses up short.
	long, short = 20 * time.Second, 2 * time.Second
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

// SeveralAddresses checks a server, on the loopback addresses 127.subnet.0.0/16 and this
// port, whose name has several addresses: a check must succeed with one that answers, and
// fail with the right reason without one. newChecker returns a checker of that timeout and
// lookup. A server that listens on ::1 as well is not tried with a dead ::1.
func SeveralAddresses(t *testing.T, subnet, port int, listensOnIPv6 bool, newChecker func(*testing.T, time.Duration, dial.LookupFunc) health.Checker) {
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
		{"all dead", []string{"dead", "dead"}, health.ReasonTimeout},
		{"all refused", []string{"refused", "refused"}, health.ReasonRefused},
		{"none but refused and dead", []string{"refused", "dead"}, health.ReasonTimeout},
		{"all frozen", []string{"frozen", "frozen"}, health.ReasonTimeout},
	} {
		if listensOnIPv6 && tt.name == "IPv6 dead" {
			continue
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
