package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/migrations"
)

// table is the table that may exist before the first migration.
const table = migrations.Table

// adoption has the statements that change a table that was made without this program into the one that the
// first migration creates.
type adoption struct {
	want   *Catalog
	schema string
	others *surroundings
	// Slow statements run first, while the table can still be read; the others take an
	// exclusive lock.
	shared, exclusive []string
	changes           []string // description of the changes, for people
}

// AdoptError has the reasons why a table cannot be adopted. Nothing was changed.
type AdoptError struct {
	Table    string
	Problems []string
}

// Error lists the problems, one per line.
func (e *AdoptError) Error() string {
	return "adopt the table " + e.Table + ", which was made without this program: it cannot become what the first " +
		"migration makes, and nothing was changed:\n  " + strings.Join(e.Problems, "\n  ") +
		"\n  Correct this, or rename a table that is something else, and run this again (docs/migrations.md)."
}

// planAdoption returns the adoption of a table that exists already, or nil. It
// writes nothing.
func (m *Migrator) planAdoption(ctx context.Context, s *session) (*adoption, error) {
	if !m.adopts {
		return nil, nil
	}
	want, err := firstCatalog()
	if err != nil {
		return nil, err
	}
	have, err := s.catalog(ctx, want)
	if err != nil || have.Schema == "" {
		return nil, err
	}
	a := &adoption{want: want, schema: have.Schema}
	if a.others, err = s.surroundings(ctx, a); err != nil {
		return nil, err
	}
	a.rename(&have.Catalog)
	differences := slices.DeleteFunc(want.Compare(&have.Catalog, a.schema), func(d Difference) bool { return d.Extra })
	problems, err := s.adoptionBlockers(ctx, a, &have.Catalog)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, &AdoptError{Table: a.schema + "." + table, Problems: problems}
	}
	for _, d := range differences {
		a.changes = append(a.changes, d.Object+" "+d.Problem)
	}
	a.planRepair(&have.Catalog)
	comments, err := m.comments()
	a.exclusive = append(append(a.exclusive, a.others.kept(a, &have.Catalog)...), a.others.uncommented(comments)...)
	return a, err
}

// firstCatalog returns the objects that the first migration creates. No later one may change them; a
// test checks that.
func firstCatalog() (*Catalog, error) {
	snapshot, err := EmbeddedSnapshot()
	if err != nil {
		return nil, err
	}
	c := &snapshot.Catalog
	c.Functions = slices.DeleteFunc(c.Functions, func(o Function) bool { return o.Since > 1 })
	c.Columns = slices.DeleteFunc(c.Columns, func(o Column) bool { return o.Since > 1 })
	c.Constraints = slices.DeleteFunc(c.Constraints, func(o Constraint) bool { return o.Since > 1 })
	c.Indexes = slices.DeleteFunc(c.Indexes, func(o Index) bool { return o.Since > 1 })
	c.Triggers = slices.DeleteFunc(c.Triggers, func(o Trigger) bool { return o.Since > 1 })
	return c, nil
}

// catalog reads those objects of want that exist, in the session's current transaction, if
// there is one.
func (s *session) catalog(ctx context.Context, want *Catalog) (*Database, error) {
	tables, functions := want.names()
	return ReadDatabase(ctx, s.conn(), tables, functions)
}

// comments returns the COMMENT statements of the first migration.
func (m *Migrator) comments() ([]string, error) {
	text, _, err := section(m.options.FS, m.steps[0].File, true)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	var comments []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "COMMENT ON ") {
			comments = append(comments, strings.TrimSpace(line))
		}
	}
	return comments, nil
}

// adopt adopts the table in the transaction that also creates the version table: either
// all of it happens or nothing.
func (m *Migrator) adopt(ctx context.Context, s *session, tx *sql.Tx, a *adoption) error {
	first := m.steps[0]
	m.options.Report(Event{Kind: Start, Step: first})
	start := time.Now()
	for _, statement := range a.statements() {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return s.wrap(ctx, "adopt the table "+a.schema+"."+table+": "+statement, err)
		}
	}
	have, err := s.catalog(ctx, a.want)
	if err != nil {
		return err
	}
	var left []string
	for _, d := range a.want.Compare(&have.Catalog, a.schema) {
		if !d.Extra {
			left = append(left, d.Object+" "+d.Problem)
		}
	}
	if len(left) > 0 {
		return &AdoptError{Table: a.schema + "." + table, Problems: left}
	}
	if err := record(ctx, tx, first.Version); err != nil {
		return s.wrap(ctx, "record version 1", err)
	}
	m.options.Report(Event{Kind: Adopted, Step: first, Took: time.Since(start), Changes: a.changes})
	return nil
}

// statements returns all statements to run, in one transaction with the time zone UTC.
// The second lock is stronger than the first. Another transaction that has read the table
// and waits to write it makes this a deadlock. PostgreSQL then usually cancels this
// statement, because it began to wait last.
func (a *adoption) statements() []string {
	lock := "LOCK TABLE " + a.schema + "." + table + " IN "
	var all []string
	if len(a.shared) > 0 {
		all = append(append(all, lock+"SHARE ROW EXCLUSIVE MODE;"), a.shared...)
	}
	return append(append(all, lock+"ACCESS EXCLUSIVE MODE;"), a.exclusive...)
}

// rowCondition is a condition of the schema that existing rows can violate.
type rowCondition struct {
	name      string
	condition string // SQL; true for a row that violates it
}

// adoptionBlockers lists what makes adoption impossible: a different kind of table, and
// rows whose correction needs a decision by a person.
func (s *session) adoptionBlockers(ctx context.Context, a *adoption, have *Catalog) ([]string, error) {
	if problems := a.others.adoptionBlockers(a, have); len(problems) > 0 {
		return problems, nil
	}
	problems, conditions := tableBlockers(a.want, have)
	if len(problems) > 0 || len(conditions) == 0 {
		return problems, nil
	}
	return s.violations(ctx, a, conditions)
}

// tableBlockers compares columns and constraints. It returns what makes adoption
// impossible, and the conditions that the rows must still be checked against.
func tableBlockers(want, have *Catalog) (problems []string, conditions []rowCondition) {
	for _, w := range want.Columns {
		h, ok := find(have.Columns, w.id())
		switch {
		case !ok:
			problems = append(problems, label(w)+" is missing")
		case h.Type != w.Type && !zoneless(h, w):
			problems = append(problems, fmt.Sprintf("%s: type is %s, want %s", label(w), h.Type, w.Type))
		case w.NotNull && !h.NotNull && w.Default == "":
			conditions = append(conditions, rowCondition{label(w) + " NOT NULL", w.Name + " IS NULL"})
		}
	}
	for _, w := range want.Constraints {
		expression, isCheck := strings.CutPrefix(w.Text, "CHECK ")
		h, ok := find(have.Constraints, w.id())
		if isCheck && !(ok && h.Valid && w.matches(h.Definition)) {
			conditions = append(conditions, rowCondition{label(w) + " " + w.Text, "NOT " + expression})
		}
	}
	return problems, conditions
}

// zoneless reports whether the column is one of the predecessor's timestamps, which are
// in UTC.
func zoneless(have, want Column) bool {
	return have.Type == "timestamp without time zone" && want.Type == "timestamp with time zone"
}

// violations counts, in one scan, the rows that violate each condition.
func (s *session) violations(ctx context.Context, a *adoption, conditions []rowCondition) ([]string, error) {
	counts := make([]int64, len(conditions))
	terms, into := make([]string, len(conditions)), make([]any, len(conditions))
	for i, r := range conditions {
		terms[i] = "count(*) FILTER (WHERE " + r.condition + ")"
		into[i] = &counts[i]
	}
	query := "SELECT " + strings.Join(terms, ", ") + " FROM " + a.schema + "." + table
	if err := s.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return nil, s.wrap(ctx, "count the rows that cannot be adopted", err)
	}
	var problems []string
	for i, r := range conditions {
		if counts[i] > 0 {
			problems = append(problems, fmt.Sprintf("rows that break %s: %d", r.name, counts[i]))
		}
	}
	return problems, nil
}

// surroundings are other objects that depend on the table, which adoption leaves
// unchanged. Names are quoted where SQL requires it.
type surroundings struct {
	kind     string   // pg_class.relkind
	parents  []string // tables that it inherits from, or is a partition of
	children []string
	rules    []string // that an UPDATE would trigger
	identity []string // the index that is the table's replica identity
	// firing are the triggers that an UPDATE would fire, with their tgenabled: "name A".
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

// adoptionBlockers lists surroundings that adoption cannot leave unchanged.
func (o *surroundings) adoptionBlockers(a *adoption, have *Catalog) []string {
	if o.kind != "r" {
		return []string{"it is not an ordinary table, but a view or something else"}
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

// quiet returns the statements that disable the triggers, and those that restore the mode
// of each.
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

// uncommented returns the comments of the first migration whose objects have no comment yet.
func (o *surroundings) uncommented(comments []string) []string {
	return slices.DeleteFunc(comments, func(comment string) bool {
		object, _, _ := strings.Cut(strings.TrimPrefix(comment, "COMMENT ON "), " IS ")
		return slices.Contains(o.comments, object)
	})
}

// kept returns the comments of the constraints and indexes that are created again.
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
