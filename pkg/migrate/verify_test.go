package migrate_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/migrate"
	"github.com/reims/reims-health/test/servers"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	onEachVersion(t, func(t *testing.T, s *verifyServer) {
		t.Helper()
		t.Run("clean", func(t *testing.T) {
			t.Parallel()
			r := verify(t, s.copy(t, "migrated"))
			if err := r.Err(true); err != nil || len(r.Differences) > 0 {
				t.Errorf("a fresh database: %v, %v", err, r.Differences)
			}
			_, got, _ := strings.Cut(print(t, r, true), "\n")
			want := ` 34 of 34 columns
  9 of 9 indexes
  8 of 8 constraints
  1 of 1 triggers
  1 of 1 functions
  1 of 1 primary keys
  4 of 4 constraints added by later migrations
verified: the database is what the migrations create
`
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
		for name, c := range drifts() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.test(t, s)
			})
		}
	})
}

// drift is a way to break a schema.
type drift struct {
	how  string   // SQL
	want []string // the differences
	// extra says that they are a failure only where strict.
	extra bool
}

func (d drift) test(t *testing.T, s *verifyServer) {
	t.Helper()
	conn := s.copy(t, "migrated")
	run(t, conn, "INSERT INTO properties (name, address, city, state, status) VALUES ('n', 'a', 'c', 's', 'sold')", d.how)
	report := verify(t, conn)
	var got, mend []string
	for _, difference := range report.Differences {
		got = append(got, difference.Object+" "+difference.Problem)
		mend = append(mend, difference.SQL...)
	}
	if diff := cmp.Diff(d.want, got); diff != "" {
		t.Errorf("differences, -want +got:\n%s", diff)
	}
	if err := report.Err(true); err == nil {
		t.Error("verified, strictly")
	}
	if err := report.Err(false); (err == nil) != d.extra {
		t.Errorf("not strictly: %v", err)
	}
	text := print(t, report, true)
	for _, statement := range mend {
		if !strings.Contains(text, "\n"+statement+"\n") {
			t.Errorf("the report lacks %q:\n%s", statement, text)
		}
	}
	run(t, conn, mend...)
	if report := verify(t, conn); report.Err(true) != nil {
		t.Errorf("after %q: %v", mend, report.Differences)
	}
	var status string
	if err := conn.QueryRow(t.Context(), "SELECT status FROM properties").Scan(&status); err != nil || status != "sold" {
		t.Errorf("the row says %q (%v), want sold", status, err)
	}
}

// A dump is made from the server's own words, which change once by being read.
func TestVerifyRestored(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	s := &verifyServer{pg: pg}
	goTo(t, s.config(t, "reims"), 3)
	s.create(t, "restored", "template0")
	psql := exec.Command("sh", "-c", `pg_dump --dbname="$FROM" | psql -q -v ON_ERROR_STOP=1 --dbname="$TO"`)
	psql.Env = append(psql.Environ(), "FROM="+pg.URL(), "TO="+strings.Replace(pg.URL(), "/reims?", "/restored?", 1))
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r := verify(t, connect(t, s.config(t, "restored"))); r.Err(true) != nil {
		t.Errorf("a restored database: %v", r.Differences)
	}
}

// The SQL never changes a value: one that does not fit is the statement's error.
func TestVerifyMendsWithoutLoss(t *testing.T) {
	t.Parallel()
	s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{})}
	goTo(t, s.config(t, "reims"), 3)
	conn := connect(t, s.config(t, "reims"))
	run(t, conn,
		"ALTER TABLE properties ALTER COLUMN zip_code TYPE text, ALTER COLUMN created_at TYPE timestamp",
		"INSERT INTO properties (name, address, city, state, zip_code, created_at) VALUES ('n', 'a', 'c', 's', repeat('1', 30), '2026-01-02 03:04:05')",
		"SET TimeZone = 'America/New_York'")
	failed := 0
	for _, d := range verify(t, conn).Differences {
		for _, statement := range d.SQL {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				failed++
			}
		}
	}
	var zip int
	var created string
	err := conn.QueryRow(t.Context(), "SELECT length(zip_code), (created_at AT TIME ZONE 'UTC')::text FROM properties").Scan(&zip, &created)
	if err != nil || failed != 1 || zip != 30 || created != "2026-01-02 03:04:05" {
		t.Errorf("%v, %d failed, zip_code has %d characters, created_at is %s", err, failed, zip, created)
	}
}

// The tables may be in any schema that the role's search_path leads to.
func TestVerifyOtherSchema(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	if err := pg.SQL(t.Context(), `CREATE SCHEMA "Our API"; ALTER DATABASE reims SET search_path = "Our API"`); err != nil {
		t.Fatal(err)
	}
	s := &verifyServer{pg: pg}
	goTo(t, s.config(t, "reims"), 3)
	conn := connect(t, s.config(t, "reims"))
	if r := verify(t, conn); r.Err(true) != nil {
		t.Errorf("fresh: %v", r.Differences)
	}
	run(t, conn, "DROP FUNCTION update_properties_updated_at CASCADE", "ALTER TABLE properties DROP COLUMN status")
	run(t, conn, "SET search_path = public") // the SQL names the schema itself
	broken := connect(t, s.config(t, "reims"))
	for _, d := range verify(t, broken).Differences {
		run(t, conn, d.SQL...)
	}
	if r := verify(t, broken); r.Err(true) != nil {
		t.Errorf("mended: %v", r.Differences)
	}
}

func TestVerifyVersions(t *testing.T) {
	t.Parallel()
	s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{})}
	empty := connect(t, s.config(t, "reims"))
	if _, err := migrate.Verify(t.Context(), empty); !errors.Is(err, migrate.ErrNotMigrated) {
		t.Errorf("an empty database: %v, want ErrNotMigrated", err)
	}
	for _, step := range []struct {
		name, prepare string
		to            int64
		says          string
		err           string
	}{
		{"first", "", 1, "-- constraint properties.chk_latitude_range is missing (migration 2 is pending)\n\n", "2 migrations are pending"},
		{"second", "", 2, "schema version 2 of 3", "1 migration is pending"},
		{"third", "", 3, "schema version 3 of 3", ""},
		{"newer", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (4, true)", 3, "schema version 4 (newer", ""},
		{"unreadable", "CREATE ROLE nobody; SET ROLE nobody", 3, "schema version unknown", ""},
		{"unmanaged", "RESET ROLE; DROP TABLE goose_db_version", 0, "schema version none", "migrate up takes them under management"},
	} {
		if step.to > 0 {
			goTo(t, s.config(t, "reims"), step.to)
		}
		run(t, empty, step.prepare)
		r := verify(t, empty)
		if text := print(t, r, false); !strings.Contains(text, step.says) {
			t.Errorf("%s: want %q in\n%s", step.name, step.says, text)
		}
		err := r.Err(false)
		if (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%s: %v, want %q", step.name, err, step.err)
		}
	}
}

// A cast that would change a value is not made, and one that changes none is.
func TestVerifyMendsWithoutRounding(t *testing.T) {
	t.Parallel()
	s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{})}
	s.create(t, "migrated", "template1")
	goTo(t, s.config(t, "migrated"), 3)
	for _, c := range []struct{ column, from, bad, good string }{
		{"year_built", "numeric(10,2)", "1999.60", "1999.00"},
		{"year_built", "text", "1999.6", " 1999"},
		{"current_value", "numeric(18,4)", "10.1250", "10.1200"},
		{"current_value", "text", "10.125", "10.1"},
		{"acquisition_date", "timestamp with time zone", "2026-01-02 00:00:00-05", "2026-01-01 19:00:00-05"},
		{"last_appraised_date", "text", "2026-01-02 10:00", "2026-1-2"},
		{"created_by", "text", "nobody", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"},
	} {
		t.Run(c.column+" "+c.from, func(t *testing.T) {
			t.Parallel()
			conn := s.copy(t, "migrated")
			value := func() (v string) {
				t.Helper()
				if err := conn.QueryRow(t.Context(), "SELECT "+c.column+"::text FROM properties").Scan(&v); err != nil {
					t.Fatal(err)
				}
				return v
			}
			run(t, conn, "SET TimeZone = 'America/New_York'",
				"ALTER TABLE properties DROP CONSTRAINT chk_year_built_reasonable",
				"ALTER TABLE properties ALTER COLUMN "+c.column+" TYPE "+c.from+" USING NULL",
				"INSERT INTO properties (name, address, city, state, "+c.column+") VALUES ('n', 'a', 'c', 's', '"+c.bad+"')")
			before := value()
			differences := verify(t, conn).Differences
			if _, err := conn.Exec(t.Context(), differences[0].SQL[0]); err == nil {
				t.Errorf("%q did not fail", differences[0].SQL[0])
			}
			if after := value(); after != before {
				t.Errorf("%s became %s", before, after)
			}
			run(t, conn, "UPDATE properties SET "+c.column+" = '"+c.good+"'")
			for _, d := range differences {
				run(t, conn, d.SQL...)
			}
			if r := verify(t, conn); r.Err(true) != nil {
				t.Errorf("mended: %v", r.Differences)
			}
		})
	}
}

// PostgreSQL 18 can have a NOT NULL that the rows before it break.
func TestVerifyNotNullNotValid(t *testing.T) {
	t.Parallel()
	s := &verifyServer{pg: servers.RunPostgres(t, servers.PostgresOptions{Version: 18})}
	s.create(t, "migrated", "template1")
	goTo(t, s.config(t, "migrated"), 3)
	drift{
		how: `ALTER TABLE properties ALTER COLUMN has_active_alerts DROP NOT NULL;
		      UPDATE properties SET has_active_alerts = NULL;
		      ALTER TABLE properties ADD CONSTRAINT later NOT NULL has_active_alerts NOT VALID`,
		want: []string{"column properties.has_active_alerts is nullable, want NOT NULL"},
	}.test(t, s)
}
