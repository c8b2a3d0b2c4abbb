package migrate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

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

// readPlace needs no right but to connect.
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
