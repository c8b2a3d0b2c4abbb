package servers_test

import (
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers"
)

func TestPostgresVersion(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{Version: 18, TLS: true})
	version, err := query[string](t.Context(), pg.URL(), "show server_version")
	if err != nil || !strings.HasPrefix(version, "18.") {
		t.Errorf("the server says %q (%v), want 18.x", version, err)
	}
	if err := pg.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresUnknownVersion(t *testing.T) {
	t.Parallel()
	pg, err := servers.StartPostgres(t.Context(), servers.PostgresOptions{
		Options: servers.Options{Dir: servers.TempDir(t)}, Version: 3,
	})
	if err == nil {
		t.Error("started PostgreSQL 3", pg.Close())
	}
}
