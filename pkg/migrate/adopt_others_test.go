package migrate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/migrate"
)

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
