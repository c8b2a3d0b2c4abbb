package migrate_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/migrate"
)

// newPredecessor returns a database as testdata/NAME.sql makes it, with rows in it.
func newPredecessor(t *testing.T, name string, statements ...string) *scratch {
	t.Helper()
	sql, err := os.ReadFile("testdata/" + name + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	s := newScratch(t)
	s.exec(t, append([]string{
		"ALTER DATABASE " + s.value(t, "SELECT current_database()") + " SET timezone = 'Asia/Tokyo'", string(sql),
		`INSERT INTO properties (name, address, city, state, total_sqft, status, has_active_alerts, created_at, updated_at)
			SELECT 'P' || i, 'a', 'Boston', 'MA', i, 'sold', true, '2024-03-10 02:30', '2024-11-03 01:30' FROM generate_series(1, 500) i`,
	}, statements...)...)
	return s
}

// Whoever made the table, it becomes the same as a new one, with its rows kept.
func TestAdopt(t *testing.T) {
	t.Parallel()
	const nulls = "ALTER TABLE properties ALTER status DROP NOT NULL, ALTER has_active_alerts DROP NOT NULL"
	for name, want := range map[string][]string{
		"predecessor": {"column properties.created_at type is timestamp without time zone"},
		"psql": {
			"constraint properties.chk_sqft_positive has another definition", "index idx_properties_class is missing",
			"constraint properties.chk_occupancy_rate is NOT VALID", "trigger properties.trg_properties_updated_at is missing",
		},
		"alembic": {
			"primary key properties.pk_properties is renamed to properties.properties_pkey",
			"index ix_properties_status is renamed to idx_properties_status", "column properties.updated_at default is timezone('utc'::text, now())",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPredecessor(t, name, nulls, "UPDATE properties SET status = NULL, has_active_alerts = NULL, updated_at = '2024-11-03 01:30' WHERE total_sqft <= 9",
				"ALTER TABLE properties DISABLE TRIGGER USER", "UPDATE properties SET updated_at = '2024-11-03 01:30'", "ALTER TABLE properties ENABLE TRIGGER USER")
			const rows = "SELECT md5(string_agg(id::text || name || total_sqft, ',' ORDER BY id)) FROM properties"
			before := s.value(t, rows)
			file := s.value(t, "SELECT pg_relation_filenode('properties')")
			var adopted migrate.Event
			s.up(t, migrate.Options{Report: func(e migrate.Event) {
				if e.Kind == migrate.Adopted {
					adopted = e
				}
			}})
			for _, part := range want {
				if !strings.Contains(strings.Join(adopted.Changes, "\n"), part) {
					t.Errorf("%q is not in %q", part, adopted.Changes)
				}
			}
			if got := s.versions(t); got != "0 1 2 3" {
				t.Errorf("versions %s", got)
			}
			if s.value(t, rows) != before {
				t.Error("the rows are other ones")
			}
			if got := s.value(t, "SELECT pg_relation_filenode('properties')"); got != file {
				t.Error("the table was rewritten")
			}
			if got := s.value(t, `SELECT count(*) FROM properties WHERE created_at = '2024-03-10 02:30Z' AND updated_at = '2024-11-03 01:30Z'
				AND (status, has_active_alerts) = (CASE WHEN total_sqft <= 9 THEN 'active' ELSE 'sold' END, total_sqft > 9)`); got != "500" {
				t.Errorf("%s rows have the right times and values", got)
			}
			s.wantShape(t)
		})
	}
}

// A database that has everything but lost, or emptied, the table of versions comes back
// under management.
func TestAdoptAgain(t *testing.T) {
	t.Parallel()
	for _, loss := range []string{"DROP TABLE goose_db_version", "TRUNCATE goose_db_version"} {
		t.Run(loss, func(t *testing.T) {
			t.Parallel()
			s := newScratch(t)
			s.up(t, migrate.Options{})
			s.exec(t, loss)
			s.up(t, migrate.Options{})
			if got := s.value(t, "SELECT max(version_id) FROM goose_db_version"); got != "3" {
				t.Errorf("version %s", got)
			}
			s.wantShape(t)
		})
	}
}

// wantShape expects what a new database has, but for what was extra; the comments too.
func (s *scratch) wantShape(t *testing.T) {
	t.Helper()
	report, err := migrate.Verify(t.Context(), s.pool)
	if err != nil {
		t.Fatal(err)
	}
	if drift := report.Drift(false); len(drift) > 0 {
		t.Errorf("drift: %v", drift)
	}
	const comments = `SELECT string_agg(attname || ': ' || col_description(attrelid, attnum), E'\n' ORDER BY attname) || obj_description(attrelid) ||
		obj_description('update_properties_updated_at()'::regprocedure) FROM pg_attribute WHERE attrelid = 'properties'::regclass AND attnum > 0 GROUP BY attrelid`
	fresh := newScratch(t)
	fresh.up(t, migrate.Options{})
	if diff := cmp.Diff(fresh.value(t, comments), s.value(t, comments)); diff != "" {
		t.Errorf("comments, -want +got:\n%s", diff)
	}
	if got := s.value(t, "SELECT tgenabled FROM pg_trigger WHERE tgname = 'trg_properties_updated_at'"); got != "O" {
		t.Errorf("the trigger is in state %s", got)
	}
}

// What cannot be adopted is named, all of it, and stays as it is.
func TestAdoptRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sql  string
		want []string
	}{
		"something else": {
			"CREATE TABLE properties (id bigint PRIMARY KEY, key text, value text)",
			[]string{"column properties.id: type is bigint, want uuid", "column properties.address is missing"},
		},
		"a view":            {"CREATE VIEW properties AS SELECT 1 AS id", []string{"it is not an ordinary table"}},
		"rows with no name": {"psql INSERT INTO properties (city) VALUES ('x'), ('y')", []string{"rows that break column properties.name NOT NULL: 2", "properties.state NOT NULL: 2"}},
		"rows against checks": {
			"psql INSERT INTO properties (name, address, city, state, total_sqft, status) VALUES ('n', 'a', 'c', 's', 0, 'lost')",
			[]string{"rows that break constraint properties.chk_sqft_positive CHECK ((total_sqft > (0)::numeric)): 1", "chk_valid_status"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *scratch
			if sql, ok := strings.CutPrefix(tt.sql, "psql "); ok {
				s = newPredecessor(t, "psql", sql)
			} else {
				s = newScratch(t)
				s.exec(t, sql)
			}
			const catalog = "SELECT md5(string_agg(a::text, ',' ORDER BY attrelid, attnum)) FROM pg_attribute a WHERE attrelid > 16000"
			before := s.value(t, catalog)
			_, err := newMigrator(t, s.pool, migrate.Options{}).Up(t.Context())
			var refused *migrate.AdoptError
			if !errors.As(err, &refused) || refused.Table != "public.properties" {
				t.Fatalf("got %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), "\n  ") || !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in:\n%v", part, err)
				}
			}
			if s.value(t, catalog) != before || s.versions(t) != "no table" {
				t.Error("something was changed")
			}
			if _, _, err := newMigrator(t, s.pool, migrate.Options{}).PlanUp(t.Context()); !errors.As(err, &refused) {
				t.Errorf("plan: %v", err)
			}
		})
	}
}

// A failure in the middle takes all of the adoption back, the version table as well.
func TestAdoptIsOneTransaction(t *testing.T) {
	t.Parallel()
	s := newPredecessor(t, "predecessor", "CREATE VIEW recent AS SELECT name, created_at FROM properties")
	_, err := newMigrator(t, s.pool, migrate.Options{}).Up(t.Context())
	if err == nil || !strings.Contains(err.Error(), "SQLSTATE 0A000") || !strings.Contains(err.Error(), "view recent depends on column") ||
		!strings.Contains(err.Error(), "    ALTER COLUMN created_at TYPE timestamp with time zone,") {
		t.Errorf("got %v", err)
	}
	if got := s.versions(t) + s.value(t, "SELECT col_description('properties'::regclass, 1)"); got != "no tablenull" {
		t.Errorf("changed: %s", got)
	}
	if got := s.value(t, "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'properties'::regclass AND attname = 'status'"); got != "false" {
		t.Error("status was changed")
	}
	s.exec(t, "DROP VIEW recent")
	s.up(t, migrate.Options{})
}

// Adoption leads to what the snapshot says of the first step. A later step that
// changes such an object would make that wrong.
func TestFirstStepIsStillThat(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.up(t, migrate.Options{FS: firstOnly(t)})
	report, err := migrate.Verify(t.Context(), s.pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range report.Counts {
		if !n.Later && n.Correct != n.Want {
			t.Errorf("%d of %d of kind %s: adoption needs the first step's own definitions now", n.Correct, n.Want, n.Kind)
		}
	}
}

// A set of steps that does not begin with ours adopts nothing.
func TestOtherStepsDoNotAdopt(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	s.exec(t, "CREATE TABLE properties (id int)")
	var other fs.FS = steps("ALTER TABLE properties ADD COLUMN more int;")
	s.up(t, migrate.Options{FS: other})
	if got := s.versions(t); got != "0 1" {
		t.Errorf("versions %s", got)
	}
}

// others is what adoption has no business with, as text.
const others = `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
	SELECT 'trigger ' || tgname || ' ' || tgenabled::text || ' ' || pg_get_triggerdef(oid) || coalesce(obj_description(oid), '') AS line
	  FROM pg_trigger WHERE tgrelid = 'properties'::regclass AND tgname <> 'trg_properties_updated_at' AND NOT tgisinternal
	UNION ALL SELECT concat_ws(' ', 'table', relowner::regrole, relacl, reloptions, relreplident, relrowsecurity, relforcerowsecurity, reltablespace,
	                                obj_description(oid, 'pg_class')) FROM pg_class WHERE oid = 'properties'::regclass
	UNION ALL SELECT concat_ws(' ', 'column', attname, to_jsonb(a) ->> 'attstattarget', attoptions, attacl, attstorage, attcompression,
	                                CASE WHEN attname IN ('city', 'extra') THEN coalesce(col_description(attrelid, attnum), '') END)
	            FROM pg_attribute a WHERE attrelid = 'properties'::regclass AND attnum > 0
	UNION ALL SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint'))
	            FROM pg_constraint WHERE conname LIKE 'their%'
	UNION ALL SELECT 'comment ' || obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'chk_sqft_positive'
	UNION ALL SELECT concat_ws(' ', 'index', c.relname, c.reloptions, i.indisclustered, i.indisreplident, obj_description(c.oid, 'pg_class'))
	            FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'properties'::regclass AND (c.relname LIKE 'their%' OR c.relname = 'idx_properties_city_state')
	UNION ALL SELECT concat_ws(' ', 'policy', polname, polcmd, pg_get_expr(polqual, polrelid)) FROM pg_policy
	UNION ALL SELECT concat_ws(' ', 'publication', pubname, tablename) FROM pg_publication_tables
	UNION ALL SELECT concat_ws(' ', 'rule', rulename, ev_enabled::text) FROM pg_rewrite WHERE rulename LIKE 'their%'
	UNION ALL SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'public'
	UNION ALL SELECT concat_ws(' ', 'sequence', objid::regclass, refobjid::regclass, refobjsubid, deptype) FROM pg_depend
	            WHERE classid = 'pg_class'::regclass AND objid = to_regclass('their_seq') AND refobjid = 'properties'::regclass
	UNION ALL SELECT concat_ws(' ', 'statistics', stxname, pg_get_statisticsobjdef(oid), to_jsonb(s) ->> 'stxstattarget') FROM pg_statistic_ext s
	UNION ALL SELECT concat_ws(' ', 'function', proacl, proowner::regrole) FROM pg_proc WHERE proname = 'update_properties_updated_at' AND proacl IS NOT NULL
	UNION ALL SELECT 'audit ' || count(*) FROM audit
) AS o`

// What is not of the first step is the same after adoption as before, and was at no
// time set off by it.
func TestAdoptLeavesOthers(t *testing.T) {
	t.Parallel()
	const audit = `CREATE TABLE audit (at timestamptz DEFAULT now());
		CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit DEFAULT VALUES; RETURN NEW; END $$;
		CREATE TRIGGER their_always AFTER UPDATE ON properties FOR EACH ROW EXECUTE FUNCTION audit();
		CREATE TRIGGER their_replica BEFORE UPDATE ON properties FOR EACH ROW EXECUTE FUNCTION audit();
		CREATE TRIGGER their_disabled BEFORE UPDATE ON properties FOR EACH ROW EXECUTE FUNCTION audit();
		CREATE TRIGGER their_origin AFTER UPDATE OF status ON properties FOR EACH ROW EXECUTE FUNCTION audit();
		CREATE TRIGGER "their Statement" AFTER UPDATE ON properties EXECUTE FUNCTION audit();
		CREATE CONSTRAINT TRIGGER their_deferred AFTER UPDATE ON properties DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit();
		CREATE TRIGGER their_insert BEFORE INSERT ON properties FOR EACH ROW EXECUTE FUNCTION audit();
		ALTER TABLE properties ENABLE ALWAYS TRIGGER their_always, ENABLE REPLICA TRIGGER their_replica, DISABLE TRIGGER their_disabled,
			ENABLE ALWAYS TRIGGER "their Statement", ENABLE ALWAYS TRIGGER their_insert, ENABLE ALWAYS TRIGGER their_deferred;
		COMMENT ON TRIGGER their_always ON properties IS 'theirs';`
	const rest = `ALTER TABLE properties ADD COLUMN extra bigserial, REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY,
			ALTER created_at SET STATISTICS 77, ALTER created_at SET (n_distinct = 5), ALTER status SET STATISTICS 99, SET (fillfactor = 80);
		ALTER SEQUENCE properties_extra_seq RENAME TO their_seq;
		CREATE POLICY their_policy ON properties USING (city = 'Boston');
		CREATE PUBLICATION their_publication FOR TABLE properties;
		CREATE VIEW their_view AS SELECT name, status, city FROM properties;
		CREATE STATISTICS their_statistics ON city, state FROM properties;
		CREATE UNIQUE INDEX their_index ON properties (extra) WITH (fillfactor = 60);
		ALTER TABLE properties ADD CONSTRAINT their_check CHECK (extra > 0);
		CREATE TABLE their_rooms (property uuid CONSTRAINT their_key REFERENCES properties);
		DROP INDEX IF EXISTS idx_properties_city_state;
		CREATE INDEX idx_properties_city_state ON properties (city, state) WITH (fillfactor = 70);
		COMMENT ON INDEX idx_properties_city_state IS 'their index';
		COMMENT ON CONSTRAINT chk_sqft_positive ON properties IS 'their check';
		COMMENT ON TABLE properties IS 'their table';
		COMMENT ON COLUMN properties.city IS 'their city';
		COMMENT ON COLUMN properties.extra IS 'their own';
		GRANT SELECT ON properties TO PUBLIC;
		GRANT UPDATE (status, created_at) ON properties TO PUBLIC;
		CREATE RULE their_rule AS ON INSERT TO properties WHERE false DO ALSO NOTHING;`
	for _, name := range []string{"predecessor", "psql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPredecessor(t, name, audit, rest, "ALTER TABLE properties ALTER status DROP NOT NULL",
				"SET session_replication_role = 'local'; ALTER TABLE properties DISABLE TRIGGER ALL; UPDATE properties SET status = NULL WHERE total_sqft < 9; ALTER TABLE properties ENABLE TRIGGER ALL; RESET session_replication_role",
				`ALTER TABLE properties ENABLE ALWAYS TRIGGER their_always, ENABLE REPLICA TRIGGER their_replica, DISABLE TRIGGER their_disabled,
					ENABLE ALWAYS TRIGGER "their Statement", ENABLE ALWAYS TRIGGER their_insert, ENABLE ALWAYS TRIGGER their_deferred`)
			before := s.value(t, others)
			s.up(t, migrate.Options{})
			if diff := cmp.Diff(before, s.value(t, others)); diff != "" {
				t.Errorf("-before +after:\n%s", diff)
			}
			if report, err := migrate.Verify(t.Context(), s.pool); err != nil || report.Err(false) != nil {
				t.Errorf("verify: %v, %v", err, report)
			}
		})
	}
}

// Our own trigger is mended, and keeps firing for replicated rows where it did.
func TestAdoptKeepsAlways(t *testing.T) {
	t.Parallel()
	s := newPredecessor(t, "predecessor", `DROP TRIGGER trg_properties_updated_at ON properties;
		CREATE TRIGGER trg_properties_updated_at BEFORE UPDATE OR INSERT ON properties FOR EACH ROW EXECUTE FUNCTION update_properties_updated_at();
		ALTER TABLE properties ENABLE ALWAYS TRIGGER trg_properties_updated_at`)
	s.up(t, migrate.Options{})
	if got := s.value(t, "SELECT tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'trg_properties_updated_at'"); !strings.HasPrefix(got, "A") || strings.Contains(got, "INSERT") {
		t.Errorf("got %s", got)
	}
}

// What cannot be left as it is keeps the table from being adopted.
func TestAdoptRefusedForOthers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string][2]string{
		"a child":         {"CREATE TABLE archived () INHERITS (properties)", "other tables inherit from it, and would be changed with it: archived"},
		"a parent":        {"CREATE TABLE base (); ALTER TABLE properties INHERIT base", "it inherits from, or is a partition of, base"},
		"a rule":          {"CREATE TABLE log (); CREATE RULE audit AS ON UPDATE TO properties DO ALSO INSERT INTO log DEFAULT VALUES", "rules on its UPDATE would act on rows that get a default: audit"},
		"forced policies": {"CREATE ROLE adopter_role LOGIN PASSWORD 'adopter'; ALTER TABLE properties OWNER TO adopter_role; GRANT CREATE ON SCHEMA public TO adopter_role; ALTER TABLE properties ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "row-level security"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPredecessor(t, "predecessor")
			s.exec(t, tt[0])
			pool := s.pool
			if name == "forced policies" {
				pool = newPool(t, strings.Replace(s.url, "postgres:"+server.Password+"@", "adopter_role:adopter@", 1))
			}
			_, err := newMigrator(t, pool, migrate.Options{}).Up(t.Context())
			var refused *migrate.AdoptError
			if err == nil || !strings.Contains(err.Error(), tt[1]) || name != "forced policies" && !errors.As(err, &refused) {
				t.Errorf("got %v", err)
			}
			if got := s.versions(t); got != "no table" {
				t.Errorf("versions %s", got)
			}
		})
	}
}
