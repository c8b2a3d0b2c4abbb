package servers_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/test/servers"
)

func TestSwitchFailsOver(t *testing.T) {
	t.Parallel()
	primary := servers.RunPostgres(t, servers.PostgresOptions{})
	standby := servers.RunStandby(t, primary)
	address := servers.RunSwitch(t, primary.Addr())
	config, err := pgx.ParseConfig(primary.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.Port = uint16(address.Port())
	connect := func() *pgx.Conn {
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	isStandby := func(conn *pgx.Conn) (yes bool) {
		if err := conn.QueryRow(t.Context(), "select pg_is_in_recovery()").Scan(&yes); err != nil {
			t.Fatal(err)
		}
		return yes
	}
	old := connect()
	defer old.Close(context.WithoutCancel(t.Context()))
	if isStandby(old) {
		t.Error("it leads to the standby at first")
	}
	address.Point(standby.Addr())
	fresh := connect()
	defer fresh.Close(context.WithoutCancel(t.Context()))
	if !isStandby(fresh) {
		t.Error("a new connection does not lead to the standby")
	}
	if isStandby(old) {
		t.Error("an open connection went over to the standby")
	}
	address.Cut()
	if err := old.Ping(t.Context()); err == nil {
		t.Error("a connection survived the cut")
	}
}
