package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/migrations"
)

// table is the one that may be there before its first migration.
const table = migrations.Table

// adoption is what turns a table that was made without this program into what the
// first step makes.
type adoption struct {
	want   *Catalog
	schema string
	others *surroundings
	// What takes long is done first, while others still read the table; the rest keeps
	// everybody away.
	shared, exclusive []string
	changes           []string // the same for people
}

// AdoptError says why a table cannot be adopted. Nothing was changed.
type AdoptError struct {
	Table    string
	Problems []string
}

// Error lists the problems, one a line.
func (e *AdoptError) Error() string {
	return "adopt the table " + e.Table + ", which was made without this program: it cannot become what the first " +
		"migration makes, and nothing was changed:\n  " + strings.Join(e.Problems, "\n  ") +
		"\n  Correct this, or rename a table that is something else, and run this again (docs/migrations.md)."
}

// planAdoption returns what to do about a table that is there already, or nil. It
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
	problems, err := s.obstacles(ctx, a, &have.Catalog)
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, &AdoptError{Table: a.schema + "." + table, Problems: problems}
	}
	for _, d := range differences {
		a.changes = append(a.changes, d.Object+" "+d.Problem)
	}
	a.mend(&have.Catalog)
	comments, err := m.comments()
	a.exclusive = append(append(a.exclusive, a.others.kept(a, &have.Catalog)...), a.others.uncommented(comments)...)
	return a, err
}

// firstCatalog is what the first step makes, as far as no later one changed it; a test
// sees to it that none did.
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

// catalog reads what there is of want, in the transaction that the session is in, if
// it is in one.
func (s *session) catalog(ctx context.Context, want *Catalog) (*Database, error) {
	tables, functions := want.names()
	return ReadDatabase(ctx, s.conn(), tables, functions)
}

// comments are the statements of the first step that comment.
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

// adopt does it, in the transaction that makes the version table as well: either all
// of it happens or nothing.
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

// statements are all that is to be run, in a transaction of a session at UTC. The
// second lock is more than the first. Where a transaction that has read waits to write,
// that is a deadlock, which PostgreSQL finds here, with the one that came last.
func (a *adoption) statements() []string {
	lock := "LOCK TABLE " + a.schema + "." + table + " IN "
	var all []string
	if len(a.shared) > 0 {
		all = append(append(all, lock+"SHARE ROW EXCLUSIVE MODE;"), a.shared...)
	}
	return append(append(all, lock+"ACCESS EXCLUSIVE MODE;"), a.exclusive...)
}
