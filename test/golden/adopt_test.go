package golden_test

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestAdoption holds what adoption makes of tables that were made by hand, by the API
// and by Alembic: the catalog before and after, and what the commands say.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"predecessor", "psql", "alembic"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sql, err := os.ReadFile("../../pkg/migrate/testdata/" + name + ".sql")
			if err != nil {
				t.Fatal(err)
			}
			database := newDatabase(t, "golden_"+name)
			env := append(slices.Clone(serverEnv()), "DATABASE_NAME="+database)
			db := connect(t, database)
			if _, err := db.Exec(t.Context(), string(sql)); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(t.Context(), `INSERT INTO properties (name, address, city, state, total_sqft, status, created_at)
				SELECT 'P' || i, 'a', 'Boston', 'MA', i, 'sold', '2024-03-10 02:30' FROM generate_series(1, 3) i`); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			b.WriteString("=== before\n" + catalog(t, db))
			for _, args := range [][]string{
				{"migrate", "status"},
				{"migrate", "verify"},
				{"migrate", "up", "--dry-run"},
				{"migrate", "up"},
				{"migrate", "status", "--output", "json"},
				{"migrate", "verify"},
				{"migrate", "verify", "--output", "json"},
				{"migrate", "up"},
			} {
				b.WriteString("\n" + mask(run(t, env, args...), inCommands))
			}
			b.WriteString("\n=== after\n" + catalog(t, db))
			compare(t, "adopt_"+name+".txt", b.String())
		})
	}
}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	u, err := url.Parse(standing.postgres.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// catalog lists what a dump of the schema would, in the server's own words, and the rows.
func catalog(t *testing.T, db *pgx.Conn) string {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		SELECT line FROM (SELECT format('column %s.%s %s%s%s', attrelid::regclass, attname, format_type(atttypid, atttypmod),
		              CASE WHEN attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || pg_get_expr(adbin, adrelid))
		       || coalesce(E'\n  -- ' || col_description(attrelid, attnum), ''), 1, attrelid::regclass::text, attnum::text
		  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		 WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
		   AND attnum > 0 AND NOT attisdropped
		UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
		       || coalesce(E'\n  -- ' || obj_description(oid, 'pg_constraint'), ''), 2, conrelid::regclass::text, conname
		  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT pg_get_indexdef(indexrelid), 3, indrelid::regclass::text, indexrelid::regclass::text
		  FROM pg_index WHERE indexrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
		UNION ALL SELECT format('%s (%s)', pg_get_triggerdef(oid), tgenabled), 4, tgrelid::regclass::text, tgname
		  FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT pg_get_functiondef(oid) || coalesce('  -- ' || obj_description(oid, 'pg_proc'), ''), 5, proname, ''
		  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT format('table %s -- %s', oid::regclass, obj_description(oid, 'pg_class')), 0, oid::regclass::text, ''
		  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
		UNION ALL SELECT format('row %s %s %s %s', name, total_sqft, status, created_at::timestamptz AT TIME ZONE 'UTC'), 6, name, '' FROM properties
		) AS o (line, kind, owner, place) ORDER BY kind, owner COLLATE "C", CASE kind WHEN 1 THEN length(place) END, place COLLATE "C"`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n") + "\n"
}
