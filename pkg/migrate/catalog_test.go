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

// drifts are all on the table properties.
func drifts() map[string]drift {
	return map[string]drift{
		"column missing": {
			how: "ALTER TABLE properties DROP COLUMN total_sqft",
			want: []string{
				"column properties.total_sqft is missing",
				"constraint properties.chk_sqft_positive is missing",
			},
		},
		"column without a default missing": {
			how:  "ALTER TABLE properties DROP COLUMN created_by",
			want: []string{"column properties.created_by is missing"},
		},
		"type": {
			how:  "ALTER TABLE properties ALTER COLUMN zip_code TYPE text",
			want: []string{"column properties.zip_code type is text, want character varying(20)"},
		},
		"type of another family": {
			how:  "ALTER TABLE properties ALTER COLUMN created_by TYPE text",
			want: []string{"column properties.created_by type is text, want uuid"},
		},
		"type with a default, a check and an index": {
			how: "ALTER TABLE properties ALTER COLUMN status TYPE text",
			want: []string{
				"column properties.status type is text, want character varying(20)",
				"constraint properties.chk_valid_status has another definition",
			},
		},
		"type with a default that has no cast": {
			how: "ALTER TABLE properties ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text, ALTER COLUMN id SET DEFAULT 'none'",
			want: []string{
				"column properties.id type is text, want uuid",
				"column properties.id default is 'none'::text, want gen_random_uuid()",
			},
		},
		"time without zone": {
			how:  "ALTER TABLE properties ALTER COLUMN updated_at TYPE timestamp",
			want: []string{"column properties.updated_at type is timestamp without time zone, want timestamp with time zone"},
		},
		"default changed": {
			how:  "ALTER TABLE properties ALTER COLUMN status SET DEFAULT 'sold'",
			want: []string{"column properties.status default is 'sold'::character varying, want 'active'::character varying"},
		},
		"default missing": {
			how:  "ALTER TABLE properties ALTER COLUMN id DROP DEFAULT",
			want: []string{"column properties.id default is none, want gen_random_uuid()"},
		},
		"default added": {
			how:  "ALTER TABLE properties ALTER COLUMN city SET DEFAULT 'Reims'",
			want: []string{"column properties.city default is 'Reims'::character varying, want none"},
		},
		"nullable": {
			how: `ALTER TABLE properties ALTER COLUMN has_active_alerts DROP NOT NULL, ALTER COLUMN name DROP NOT NULL;
			      UPDATE properties SET has_active_alerts = NULL`,
			want: []string{
				"column properties.name is nullable, want NOT NULL",
				"column properties.has_active_alerts is nullable, want NOT NULL",
			},
		},
		"not null": {
			how:  "UPDATE properties SET total_units = 1; ALTER TABLE properties ALTER COLUMN total_units SET NOT NULL",
			want: []string{"column properties.total_units is NOT NULL, want nullable"},
		},
		"check missing": {
			how:  "ALTER TABLE properties DROP CONSTRAINT chk_occupancy_rate",
			want: []string{"constraint properties.chk_occupancy_rate is missing"},
		},
		"hardening missing": {
			how:  "ALTER TABLE properties DROP CONSTRAINT chk_latitude_range",
			want: []string{"constraint properties.chk_latitude_range is missing"},
		},
		"check changed": {
			how: `ALTER TABLE properties DROP CONSTRAINT chk_occupied_within_total,
			      ADD CONSTRAINT chk_occupied_within_total CHECK (occupied_units < total_units)`,
			want: []string{"constraint properties.chk_occupied_within_total has another definition"},
		},
		"check not valid": {
			how: `ALTER TABLE properties DROP CONSTRAINT chk_valid_property_class,
			      ADD CONSTRAINT chk_valid_property_class CHECK (property_class IN ('A', 'B', 'C', 'D')) NOT VALID`,
			want: []string{"constraint properties.chk_valid_property_class is NOT VALID: rows that were there before it may break it"},
		},
		"primary key missing": {
			how:  "ALTER TABLE properties DROP CONSTRAINT properties_pkey",
			want: []string{"primary key properties.properties_pkey is missing"},
		},
		"index missing": {
			how:  "DROP INDEX idx_properties_coordinates",
			want: []string{"index idx_properties_coordinates is missing"},
		},
		"index changed": {
			how:  "DROP INDEX idx_properties_status; CREATE INDEX idx_properties_status ON properties (status DESC)",
			want: []string{"index idx_properties_status has another definition"},
		},
		"index invalid": {
			how:  "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_properties_class'::regclass",
			want: []string{"index idx_properties_class is invalid: its making was broken off, and no query uses it"},
		},
		"trigger missing": {
			how:  "DROP TRIGGER trg_properties_updated_at ON properties",
			want: []string{"trigger properties.trg_properties_updated_at is missing"},
		},
		"trigger disabled": {
			how:  "ALTER TABLE properties DISABLE TRIGGER ALL",
			want: []string{"trigger properties.trg_properties_updated_at is disabled"},
		},
		"trigger changed and disabled": {
			how: `DROP TRIGGER trg_properties_updated_at ON properties;
			      CREATE TRIGGER trg_properties_updated_at BEFORE INSERT ON properties FOR EACH ROW EXECUTE FUNCTION update_properties_updated_at();
			      ALTER TABLE properties DISABLE TRIGGER trg_properties_updated_at`,
			want: []string{
				"trigger properties.trg_properties_updated_at has another definition",
				"trigger properties.trg_properties_updated_at is disabled",
			},
		},
		"function changed": {
			how:  "CREATE OR REPLACE FUNCTION update_properties_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
			want: []string{"function update_properties_updated_at() has another definition"},
		},
		"function missing": {
			how: "DROP FUNCTION update_properties_updated_at() CASCADE",
			want: []string{
				"function update_properties_updated_at() is missing",
				"trigger properties.trg_properties_updated_at is missing",
			},
		},
		"extra": {
			how: `ALTER TABLE properties ADD COLUMN "Order" integer CONSTRAINT "Check it" CHECK ("Order" > 0);
			      CREATE INDEX "Index it" ON properties ("Order");
			      CREATE INDEX another ON properties (name);
			      CREATE TRIGGER another AFTER DELETE ON properties EXECUTE FUNCTION update_properties_updated_at()`,
			want: []string{
				`column properties."Order" is not part of this schema`,
				`constraint properties."Check it" is not part of this schema`,
				`index "Index it" is not part of this schema`,
				`index another is not part of this schema`,
				`trigger properties.another is not part of this schema`,
			},
			extra: true,
		},
	}
}

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
