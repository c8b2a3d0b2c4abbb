package migrate_test

import (
	"testing"

	"github.com/reims/reims-health/test/servers"
)

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
