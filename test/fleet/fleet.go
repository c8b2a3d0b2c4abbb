// Package fleet lays out sidecars on one machine that are peers of each other.
package fleet

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// Member is what one sidecar of a fleet needs. The caller starts the program and closes the
// wire.
type Member struct {
	// Vars are its addresses, those of its peers, and its way to the database, which is its
	// only service. The database's other variables are the caller's.
	Vars []servers.Var
	// Wire leads to the database.
	Wire *relay.Relay
}

// New lays out n members with the addresses 127.0.0.11 and up, each with a wire of its own
// to the database at that address.
func New(ctx context.Context, n int, database string) (members []Member, err error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	ip := func(i int) string { return fmt.Sprintf("127.0.0.%d", 11+i) }
	var names []string
	for i := range n {
		names = append(names, net.JoinHostPort(ip(i), port))
	}
	for i, name := range names {
		wire, err := relay.Start(database)
		if err != nil {
			for _, m := range members {
				m.Wire.Close()
			}
			return nil, err
		}
		host, wirePort, _ := net.SplitHostPort(wire.Addr())
		members = append(members, Member{Wire: wire, Vars: []servers.Var{
			{Name: "HEALTH_SERVICES", Value: "database"},
			{Name: "DATABASE_SCHEMA_CHECK", Value: "off"},
			{Name: "DATABASE_HOST", Value: host},
			{Name: "DATABASE_PORT", Value: wirePort},
			{Name: "HEALTH_ADDR", Value: name},
			{Name: "METRICS_ADDR", Value: ip(i) + ":0"},
			{Name: "POD_IP", Value: ip(i)},
			{Name: "HEALTH_PEERS", Value: strings.Join(names, ",")},
		}})
	}
	return members, nil
}

// freePort returns a port that is free on the first of the addresses, and most likely on
// all of them.
func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.11:0")
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port, l.Close()
}
