package database

import (
	"context"
	"net"
	"net/netip"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/dial"
)

// routes leads one dial of pgx through the addresses of its hosts.
//
// By itself pgx tries all addresses with TLS, then all without, and each may take
// what time there is. Instead it is told to connect to the same host again and
// again, address by address as libpq does, with TLS and without where both are
// allowed. The route of the host chooses the address.
type routes struct {
	dialer *dial.Dialer
	hosts  map[string]*hostRoute // by name and port, those that are no addresses
	failed map[string]error      // why a host could not be resolved
}

// hostRoute is the way to one host. Its addresses take attempts in turn.
type hostRoute struct {
	*dial.Route
	attempts int // for each address
	made     int
	reached  bool // the present one
}

func newRoutes(c Config) *routes {
	return &routes{
		dialer: &dial.Dialer{Lookup: c.Lookup, Dial: c.DialFunc},
		hosts:  make(map[string]*hostRoute),
		failed: make(map[string]error),
	}
}

// spread resolves the hosts of cc and repeats what it tries for each address.
func (r *routes) spread(ctx context.Context, cc *pgx.ConnConfig) {
	all := append([]*pgconn.FallbackConfig{{Host: cc.Host, Port: cc.Port, TLSConfig: cc.TLSConfig}}, cc.Fallbacks...)
	var spread []*pgconn.FallbackConfig
	for len(all) > 0 {
		same := func(f *pgconn.FallbackConfig) bool { return f.Host == all[0].Host && f.Port == all[0].Port }
		others := slices.IndexFunc(all, func(f *pgconn.FallbackConfig) bool { return !same(f) })
		if others < 0 {
			others = len(all)
		}
		for range r.resolve(ctx, all[0], others) {
			spread = append(spread, all[:others]...)
		}
		all = all[others:]
	}
	cc.Fallbacks = spread[1:]
	cc.DialFunc = r.dial
	cc.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, r.failed[host] }
}

// resolve returns the number of the host's addresses, or 1 for pgx to meet the error.
func (r *routes) resolve(ctx context.Context, f *pgconn.FallbackConfig, attempts int) int {
	network, address := pgconn.NetworkAddress(f.Host, f.Port)
	if _, err := netip.ParseAddr(f.Host); err == nil || network != "tcp" {
		return 1
	}
	route := r.dialer.Route()
	n, err := route.Resolve(ctx, network, address)
	if err != nil {
		r.failed[f.Host] = err
		return 1
	}
	r.hosts[address] = &hostRoute{Route: route, attempts: attempts}
	return n
}

// dial is called by pgx for one attempt after the other, and at any time with the
// address of a connection, to cancel its statement.
func (r *routes) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host := r.hosts[address]; host != nil {
		return host.next(ctx, network, address)
	}
	return r.dialer.DialContext(ctx, network, address)
}

func (h *hostRoute) next(ctx context.Context, network, address string) (net.Conn, error) {
	first := h.made%h.attempts == 0
	h.made++
	if !first && h.reached {
		return h.Again(ctx)
	}
	// Where no address is left this tells again of those that failed.
	conn, err := h.DialContext(ctx, network, address)
	h.reached = err == nil
	return conn, err
}
