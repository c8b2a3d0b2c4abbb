package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// surroundings are what others have made of the table to adopt, and adoption leaves as
// it is. Names are quoted where SQL wants that.
type surroundings struct {
	kind     string   // pg_class.relkind
	parents  []string // tables that it inherits from, or is a partition of
	children []string
	rules    []string // that an UPDATE would set off
	identity []string // the index that is the table's replica identity
	// firing are the triggers that an UPDATE would set off, with their tgenabled: "name A".
	firing []string
	// comments are the objects of the first step that have one: "COLUMN properties.id".
	comments []string
	// remarks are the comments of its constraints and indexes, as statements, after the
	// object: "index idx_properties_status\nCOMMENT ON …".
	remarks []string
}

const surroundingsSQL = `SELECT c.relkind::text,
    coalesce((SELECT array_agg(i.inhparent::regclass::text) FROM pg_inherits i WHERE i.inhrelid = c.oid), '{}'),
    coalesce((SELECT array_agg(i.inhrelid::regclass::text ORDER BY i.inhrelid::regclass::text) FROM pg_inherits i WHERE i.inhparent = c.oid), '{}'),
    coalesce((SELECT array_agg(quote_ident(r.rulename) ORDER BY r.rulename) FROM pg_rewrite r
               WHERE r.ev_class = c.oid AND r.ev_type = '2' AND r.ev_enabled <> 'D'), '{}'),
    coalesce((SELECT array_agg(quote_ident(x.relname)) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
               WHERE i.indrelid = c.oid AND i.indisreplident), '{}'),
    coalesce((SELECT array_agg(quote_ident(g.tgname) || ' ' || g.tgenabled::text ORDER BY g.tgname) FROM pg_trigger g
               WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 <> 0), '{}'),
    (SELECT coalesce(array_agg(CASE d.objsubid WHEN 0 THEN 'TABLE ' || c.relname ELSE 'COLUMN ' || c.relname || '.' || a.attname END), '{}')
            || CASE WHEN obj_description(to_regprocedure($2), 'pg_proc') IS NULL THEN '{}' ELSE ARRAY['FUNCTION ' || $2] END
       FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid
      WHERE d.classoid = 'pg_class'::regclass AND d.objoid = c.oid),
    coalesce((SELECT array_agg(format(E'constraint %I\nCOMMENT ON CONSTRAINT %I ON %I.%I IS %L;', k.conname, k.conname, n.nspname, c.relname,
                                      obj_description(k.oid, 'pg_constraint'))) FROM pg_constraint k
               WHERE k.conrelid = c.oid AND obj_description(k.oid, 'pg_constraint') IS NOT NULL), '{}')
    || coalesce((SELECT array_agg(format(E'index %I\nCOMMENT ON INDEX %I.%I IS %L;', x.relname, n.nspname, x.relname,
                                      obj_description(x.oid, 'pg_class'))) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
               WHERE i.indrelid = c.oid AND obj_description(x.oid, 'pg_class') IS NOT NULL), '{}')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass($1)`

func (s *session) surroundings(ctx context.Context, a *adoption) (*surroundings, error) {
	o := new(surroundings)
	err := s.conn().QueryRow(ctx, surroundingsSQL, pgx.QueryExecModeExec, a.schema+"."+table, a.want.Functions[0].Name).
		Scan(&o.kind, &o.parents, &o.children, &o.rules, &o.identity, &o.firing, &o.comments, &o.remarks)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	return o, nil
}

// obstacles are what could not be left as it is.
func (o *surroundings) obstacles(a *adoption, have *Catalog) []string {
	if o.kind != "r" {
		return []string{"it is no ordinary table, but a view or something else"}
	}
	var problems []string
	if len(o.parents) > 0 {
		problems = append(problems, "it inherits from, or is a partition of, "+list(o.parents)+": make it a table of its own (ALTER TABLE … NO INHERIT, DETACH PARTITION)")
	}
	if len(o.children) > 0 {
		problems = append(problems, "other tables inherit from it, and would be changed with it: "+list(o.children)+": end that (ALTER TABLE … NO INHERIT) for the time of the adoption")
	}
	if len(o.rules) > 0 && len(a.unfilled(have)) > 0 {
		problems = append(problems, "rules on its UPDATE would act on rows that get a default: "+list(o.rules)+": disable them (ALTER TABLE … DISABLE RULE) for the time of the adoption")
	}
	for _, name := range o.identity {
		want, ours := find(a.want.Indexes, name)
		have, there := find(have.Indexes, name)
		if ours && there && !want.matches(have.Definition) {
			problems = append(problems, "the index "+name+" has another definition, and is the table's replica identity: name another one (ALTER TABLE … REPLICA IDENTITY)")
		}
	}
	return problems
}

// quiet returns what keeps the triggers from firing, and what gives each its mode back.
func (o *surroundings) quiet(schema string) (before, after []string) {
	modes := map[string]string{"O": "ENABLE TRIGGER ", "A": "ENABLE ALWAYS TRIGGER ", "R": "ENABLE REPLICA TRIGGER "}
	for _, trigger := range o.firing {
		at := strings.LastIndex(trigger, " ")
		name, mode := trigger[:at], trigger[at+1:]
		before = append(before, alter(schema, table, "DISABLE TRIGGER "+name))
		after = append(after, alter(schema, table, modes[mode]+name))
	}
	return before, after
}

// uncommented returns those of the first step's comments whose objects have none.
func (o *surroundings) uncommented(comments []string) []string {
	return slices.DeleteFunc(comments, func(comment string) bool {
		object, _, _ := strings.Cut(strings.TrimPrefix(comment, "COMMENT ON "), " IS ")
		return slices.Contains(o.comments, object)
	})
}

// kept are the comments of the constraints and indexes that are made anew.
func (o *surroundings) kept(a *adoption, have *Catalog) []string {
	var statements []string
	for _, remark := range o.remarks {
		object, statement, _ := strings.Cut(remark, "\n")
		kind, name, _ := strings.Cut(object, " ")
		var anew bool
		if kind == string(indexes) {
			want, ours := find(a.want.Indexes, name)
			h, there := find(have.Indexes, name)
			anew = ours && there && !want.matches(h.Definition)
		} else {
			want, ours := find(a.want.Constraints, table+"."+name)
			h, there := find(have.Constraints, table+"."+name)
			anew = ours && there && !want.matches(h.Definition)
		}
		if anew {
			statements = append(statements, statement)
		}
	}
	return statements
}
