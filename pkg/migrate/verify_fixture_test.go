package migrate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/reims/reims-health/migrations"
	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

// onEachVersion runs the test on a server of each PostgreSQL that is supported.
func onEachVersion(t *testing.T, test func(t *testing.T, s *verifyServer)) {
	t.Helper()
	for name, version := range map[string]int{"debian": 0, "18": 18} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := servers.RunPostgres(t, servers.PostgresOptions{Version: version})
			s := &verifyServer{pg: pg}
			s.create(t, "migrated", "template1")
			goTo(t, s.config(t, "migrated"), 3)
			test(t, s)
		})
	}
}

// verifyServer has a migrated database to copy.
type verifyServer struct{ pg *servers.Postgres }

func (s *verifyServer) config(t *testing.T, database string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(s.pg.URL())
	if err != nil {
		t.Fatal(err)
	}
	config.Database = database
	return config
}

func (s *verifyServer) create(t *testing.T, database, template string) {
	t.Helper()
	if err := s.pg.SQL(t.Context(), fmt.Sprintf("CREATE DATABASE %q TEMPLATE %q", database, template)); err != nil {
		t.Fatal(err)
	}
}

// copy returns a connection to a copy of the template, named for the test.
func (s *verifyServer) copy(t *testing.T, template string) *pgx.Conn {
	t.Helper()
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	name = name[max(0, len(name)-60):]
	s.create(t, name, template)
	return connect(t, s.config(t, name))
}

func connect(t *testing.T, config *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// goTo migrates up to the version, in the simplest way there is.
func goTo(t *testing.T, config *pgx.ConnConfig, version int64) {
	t.Helper()
	db := stdlib.OpenDB(*config)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err == nil {
		_, err = provider.UpTo(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("run %q: %v", s, err)
		}
	}
}

func verify(t *testing.T, conn *pgx.Conn) *migrate.Report {
	t.Helper()
	report, err := migrate.Verify(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func print(t *testing.T, r *migrate.Report, strict bool) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b, strict); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
