package main

import (
	"testing"

	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// TestWire holds what a check of a healthy server costs the wire and the server.
func TestWire(t *testing.T) {
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"shared_preload_libraries": "pg_stat_statements"}})
	for _, sql := range []string{
		"CREATE EXTENSION pg_stat_statements",
		"CREATE TABLE properties (); CREATE TABLE goose_db_version (id int GENERATED ALWAYS AS IDENTITY, version_id bigint, is_applied boolean)",
		"INSERT INTO goose_db_version (version_id, is_applied) SELECT version, true FROM generate_series(0, 100) AS version", // later ones do no harm
	} {
		if err := pg.SQL(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{postgres: pg, redis: servers.RunRedis(t, servers.RedisOptions{})}
	for service, want := range map[string]struct{ statements, trips, bytes float64 }{
		"database": {statements: 13, trips: 1, bytes: 2700},
		"redis":    {statements: 2, trips: 1, bytes: 4150},
	} {
		t.Run(service, func(t *testing.T) {
			on := w.asked()[0]
			var server interface {
				servers.Server
				Addr() string
			} = w.postgres
			if service == "redis" {
				on, server = w.asked()[1], w.redis
			}
			way, err := relay.Start(server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer way.Close()
			vars := append(server.Env(), (&ways{relays: [4]*relay.Relay{way, way, way, way}}).env()...)
			p, checker, err := ourProbe(service, vars...)
			if err != nil {
				t.Fatal(err)
			}
			defer checker.Close()
			statements, trips, bytes, err := p.count(t.Context(), on, way)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v statements, %v round trips, %v bytes", statements, trips, bytes)
			if statements != want.statements || trips != want.trips || bytes > want.bytes || bytes < want.bytes/2 {
				t.Errorf("%v statements, %v round trips, %v bytes; want %v, %v and at most %v",
					statements, trips, bytes, want.statements, want.trips, want.bytes)
			}
		})
	}
}
