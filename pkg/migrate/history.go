package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// versionTable is goose's; it does not collide with the predecessor's.
const versionTable = goose.DefaultTablename

// history is the content of the version table, and where the tables are.
type history struct {
	place
	empty   bool // the table has no row at all
	applied map[int64]time.Time
	undone  []int64 // versions that have rows, of which the newest says that they were undone
}

// readHistory reads the version table. Unlike goose's Status it creates nothing.
func readHistory(ctx context.Context, s *session) (history, error) {
	h := history{applied: make(map[int64]time.Time)}
	var err error
	if h.place, err = readPlace(ctx, s.conn()); err != nil || h.schema == "" {
		return h, err
	}
	// Other programs that use goose, and its older releases, add a row for each step up
	// and each step down: the newest one counts.
	rows, err := s.QueryContext(ctx, "SELECT DISTINCT ON (version_id) version_id, is_applied, tstamp, "+
		"(SELECT count(*) FROM "+versionTable+") FROM "+versionTable+" ORDER BY version_id, id DESC")
	if code := sqlState(err); code == codeUndefinedColumn {
		return h, h.notGooses(err)
	}
	if err != nil {
		return h, s.wrap(ctx, "read "+versionTable, err)
	}
	defer func() { _ = rows.Close() }()
	h.empty = true
	for rows.Next() {
		var (
			version, count int64
			applied        bool
			at             time.Time
		)
		if err := rows.Scan(&version, &applied, &at, &count); err != nil {
			return h, h.notGooses(err) // nothing that goose would write
		}
		h.empty = false
		switch {
		case version == 0:
		case applied:
			h.applied[version] = at
		default:
			h.undone = append(h.undone, version)
		}
	}
	if err := rows.Err(); err != nil {
		return h, s.wrap(ctx, "read "+versionTable, err)
	}
	return h, nil
}

func (h history) notGooses(err error) error {
	return &HistoryError{Table: h.schema + "." + versionTable, Problem: "it is not goose's: " + err.Error() + ". " + foreign}
}

// current is the newest version that was applied; 0 for none.
func (h history) current() int64 { return newest(maps.Keys(h.applied)) }

func newest(versions iter.Seq[int64]) int64 {
	var newest int64
	for version := range versions {
		newest = max(newest, version)
	}
	return newest
}

// HistoryError says why the version table cannot be this program's as it stands.
// Nothing was changed.
type HistoryError struct {
	Table   string // with its schema; empty where it cannot be seen
	Problem string
}

// Error says what is wrong and what to do.
func (e *HistoryError) Error() string {
	if e.Table == "" {
		return "find the table " + versionTable + ": " + e.Problem
	}
	return "read the table " + e.Table + ": " + e.Problem
}

const foreign = "The table may be another program's; nothing was changed. Give REIMS a database, or a schema that search_path " +
	"names first, of its own; where rows were removed from the table, or put into it, compare with reims-health migrate verify " +
	"and correct them (docs/migrations.md)"

// check returns an error for a history that this program cannot have written. A newer
// history is valid: after a rollback of the program it holds later versions too.
func (h history) check(steps []Step, adopts bool) error {
	if h.schema == "" {
		if adopts && h.table == "" && len(h.elsewhere) > 0 {
			return &HistoryError{Problem: h.hidden()}
		}
		return nil
	}
	problem := wrongHistory(slices.Collect(maps.Keys(h.applied)), h.undone, int64(len(steps)))
	if problem == "" && adopts && h.current() > 0 && h.table == "" {
		problem = fmt.Sprintf("it records version %d, and there is no table %s", h.current(), table)
	}
	if problem == "" {
		return nil
	}
	if len(h.elsewhere) > 0 {
		problem += fmt.Sprintf("; %s holds tables of these names too", list(h.elsewhere))
	}
	return &HistoryError{Table: h.schema + "." + versionTable, Problem: problem + ". " + foreign}
}

// wrongHistory says why this program cannot have written these versions, or returns "".
// A version is applied only after all lower ones. A version that was undone is ignored,
// unless it is newer than this program.
func wrongHistory(applied, undone []int64, latest int64) string {
	current := newest(slices.Values(applied))
	if later := newest(slices.Values(undone)); later > latest {
		current = max(current, later)
	}
	var missing []string
	for version := int64(1); version <= min(current, latest); version++ {
		if !slices.Contains(applied, version) {
			missing = append(missing, strconv.FormatInt(version, 10))
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("it records version %d, and not %s", current, list(missing))
}

func list(names []string) string { return strings.Join(names, ", ") }

// prepare creates the version table. Goose would do so outside the lock and with three
// attempts. It also deletes the rows of our steps that were undone, as current releases
// of goose do: goose takes every row for an applied step.
func (h history) prepare(ctx context.Context, tx *sql.Tx, latest int64) error {
	store, err := database.NewStore(goose.DialectPostgres, versionTable)
	if err == nil && h.schema == "" {
		err = store.CreateVersionTable(ctx, tx)
	}
	if err == nil && (h.schema == "" || h.empty) {
		err = store.Insert(ctx, tx, database.InsertRequest{Version: 0})
	}
	for _, version := range h.undone {
		if err == nil && version <= latest {
			err = store.Delete(ctx, tx, version)
		}
	}
	return err
}

// record notes that a version was applied.
func record(ctx context.Context, tx *sql.Tx, version int64) error {
	store, err := database.NewStore(goose.DialectPostgres, versionTable)
	if err == nil {
		err = store.Insert(ctx, tx, database.InsertRequest{Version: version})
	}
	return err
}

// place is where the tables are.
type place struct {
	schema string // of the version table that search_path leads to; empty for none
	table  string // the schema of the table that the first step makes; empty for none
	path   string // search_path
	// filtered says that a policy of row security decides which versions the role sees.
	filtered bool
	// elsewhere are the schemas that hold both tables, which search_path does not lead
	// to. Schemas that the role may not use are not counted: they are not its own.
	elsewhere []string
}

const placeSQL = `SELECT
    coalesce((SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)), ''),
    coalesce((SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($2)), ''),
    current_setting('search_path'),
    coalesce(row_security_active(to_regclass($1)::oid), false),
    coalesce((SELECT array_agg(quote_ident(n.nspname) ORDER BY n.nspname)
       FROM pg_class v
       JOIN pg_class t ON t.relnamespace = v.relnamespace
       JOIN pg_namespace n ON n.oid = v.relnamespace
      WHERE v.relname = $1::text::name AND t.relname = $2::text::name AND v.relkind IN ('r', 'p') AND t.relkind IN ('r', 'p')
        AND v.oid IS DISTINCT FROM to_regclass($1)
        AND NOT starts_with(n.nspname::text, 'pg_temp_') AND has_schema_privilege(n.oid, 'USAGE')), '{}')`

// readPlace finds the tables. It needs no privilege other than CONNECT.
func readPlace(ctx context.Context, q Querier) (place, error) {
	var p place
	err := q.QueryRow(ctx, placeSQL, pgx.QueryExecModeExec, versionTable, table).Scan(&p.schema, &p.table, &p.path, &p.filtered, &p.elsewhere)
	if err != nil {
		return p, fmt.Errorf("look for the table %s: %w", versionTable, err)
	}
	return p, nil
}

// hidden says that search_path does not lead to the tables.
func (p place) hidden() string {
	return fmt.Sprintf("the tables %s and %s are in the schema %s, and search_path (%s) of this role does not lead there; "+
		"nothing was changed. Set it: ALTER ROLE … SET search_path = %s. For a second copy of the tables, "+
		"use a role that has no USAGE on the schema of the first",
		versionTable, table, list(p.elsewhere), orNone(p.path), p.elsewhere[0])
}
