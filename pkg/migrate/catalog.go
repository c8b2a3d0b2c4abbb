package migrate

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/reims/reims-health/migrations"
)

//go:embed catalog.sql
var catalogSQL string

// Catalog has the objects that the migrations create, as the server's catalog describes them.
type Catalog struct {
	Functions   []Function   `json:"functions"`
	Columns     []Column     `json:"columns"`
	Constraints []Constraint `json:"constraints"`
	Indexes     []Index      `json:"indexes"`
	Triggers    []Trigger    `json:"triggers"`
}

// Database is a live [Catalog] with the other results of the same statement.
type Database struct {
	Server string `json:"server"` // such as PostgreSQL 15.2
	Schema string `json:"schema"` // of the tables; empty if there are none
	// Versioned is true if goose's table exists. Versions are those that it records as
	// applied, nil if it does not exist or the role may not read it.
	Versioned bool    `json:"versioned"`
	Versions  []int64 `json:"versions"`
	Catalog
}

// Querier runs one query: a pool, a connection or a transaction of pgx.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Version returns the newest version; nil if the versions cannot be read.
func (d *Database) Version() *int64 {
	if d.Versions == nil {
		return nil
	}
	version := newest(slices.Values(d.Versions))
	return &version
}

// ReadDatabase reads the tables and functions with these names (functions with the types
// of their arguments) in one statement that needs no privilege other than CONNECT.
// Objects that do not exist are absent from the result.
func ReadDatabase(ctx context.Context, q Querier, tables, functions []string) (*Database, error) {
	var raw []byte
	if err := q.QueryRow(ctx, catalogSQL, pgx.QueryExecModeExec, tables, functions).Scan(&raw); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	db := new(Database)
	if err := json.Unmarshal(raw, db); err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	return db, nil
}

// names returns the names to read from a database.
func (c *Catalog) names() (tables, functions []string) {
	seen := make(map[string]bool)
	for _, o := range c.Columns {
		if !seen[o.Table] {
			seen[o.Table] = true
			tables = append(tables, o.Table)
		}
	}
	for _, o := range c.Functions {
		functions = append(functions, o.Name)
	}
	return tables, functions
}

// Snapshot is the [Catalog] after the migrations up to Version.
type Snapshot struct {
	Version int64 `json:"version"`
	Catalog
}

// EmbeddedSnapshot returns the snapshot of the embedded migrations.
func EmbeddedSnapshot() (*Snapshot, error) {
	s := new(Snapshot)
	if err := json.Unmarshal(migrations.Snapshot, s); err != nil {
		return nil, fmt.Errorf("read the embedded snapshot of the schema: %w", err)
	}
	return s, nil
}

// Advance replaces the snapshot by that of the next version. Objects that did not exist
// before are marked with that version.
func (s *Snapshot) Advance(version int64, next Catalog) {
	s.Version = version
	advance(s, s.Functions, next.Functions, func(o *Function) *Added { return &o.Added })
	advance(s, s.Columns, next.Columns, func(o *Column) *Added { return &o.Added })
	advance(s, s.Constraints, next.Constraints, func(o *Constraint) *Added { return &o.Added })
	advance(s, s.Indexes, next.Indexes, func(o *Index) *Added { return &o.Added })
	advance(s, s.Triggers, next.Triggers, func(o *Trigger) *Added { return &o.Added })
	s.Catalog = next
}

func advance[T object[T]](s *Snapshot, before, next []T, added func(*T) *Added) {
	for i := range next {
		since := s.Version
		if o, ok := find(before, next[i].id()); ok {
			since = o.since()
		}
		added(&next[i]).Since = since
	}
}

// Restored records the definitions of again, a catalog that was created from this one's
// definitions, if they differ.
func (s *Snapshot) Restored(again Catalog) {
	restored(s.Functions, again.Functions, func(o *Function) *Definition { return &o.Definition })
	restored(s.Constraints, again.Constraints, func(o *Constraint) *Definition { return &o.Definition })
	restored(s.Indexes, again.Indexes, func(o *Index) *Definition { return &o.Definition })
	restored(s.Triggers, again.Triggers, func(o *Trigger) *Definition { return &o.Definition })
}

func restored[T object[T]](want, again []T, definition func(*T) *Definition) {
	for i := range want {
		if o, ok := find(again, want[i].id()); ok && !definition(&want[i]).matches(*definition(&o)) {
			definition(&want[i]).Restored = definition(&o).Text
		}
	}
}

// Encode returns the snapshot as JSON with one object per line, so that diffs are readable.
func (s *Snapshot) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\"version\": %d", s.Version)
	for _, err := range []error{
		encode(&b, "functions", s.Functions),
		encode(&b, "columns", s.Columns),
		encode(&b, "constraints", s.Constraints),
		encode(&b, "indexes", s.Indexes),
		encode(&b, "triggers", s.Triggers),
	} {
		if err != nil {
			return nil, fmt.Errorf("encode the snapshot: %w", err)
		}
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func encode[T any](b *bytes.Buffer, name string, objects []T) error {
	fmt.Fprintf(b, ",\n%q: [", name)
	separator := "\n  "
	for _, o := range objects {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false) // >= is easier to read than its escape
		if err := enc.Encode(o); err != nil {
			return err
		}
		b.WriteString(separator)
		b.Write(bytes.TrimSpace(line.Bytes()))
		separator = ",\n  "
	}
	b.WriteString("\n]")
	return nil
}

// kind is a kind of object, in the singular.
type kind string

const (
	functions   kind = "function"
	columns     kind = "column"
	constraints kind = "constraint"
	primaryKeys kind = "primary key"
	indexes     kind = "index"
	triggers    kind = "trigger"
)

// Difference is one difference between a database and the expected schema.
type Difference struct {
	// Object is the object that differs, such as "index idx_properties_status".
	Object  string `json:"object"`
	Problem string `json:"problem"`
	// Have and Want are the definitions, if these differ.
	Have string `json:"have,omitempty"`
	Want string `json:"want,omitempty"`
	// Extra is true if the object should not exist.
	Extra bool `json:"extra"`
	// SQL has the statements that repair it, to run one by one in one session and in no
	// transaction. It is empty if a pending migration repairs it.
	SQL []string `json:"sql"`

	since int64 // the migration that created the object
}

// Compare returns the differences of have, and the SQL that makes it the same as c in
// the schema in, in the order in which it must run.
func (c *Catalog) Compare(have *Catalog, in string) []Difference {
	return slices.Concat(
		compare(c.Functions, have.Functions, in),
		compare(c.Columns, have.Columns, in),
		compare(c.Constraints, have.Constraints, in),
		compare(c.Indexes, have.Indexes, in),
		compare(c.Triggers, have.Triggers, in),
	)
}

func compare[T object[T]](want, have []T, in string) []Difference {
	var all []Difference
	for _, w := range want {
		all = append(all, differences(w, have, in)...)
	}
	for _, h := range have {
		if _, ok := find(want, h.id()); !ok {
			all = append(all, Difference{Object: label(h), Problem: "is not part of this schema", Extra: true, SQL: h.drop(in)})
		}
	}
	return all
}

// differences returns the differences of one object.
func differences[T object[T]](want T, have []T, in string) []Difference {
	h, ok := find(have, want.id())
	if !ok {
		return []Difference{{Object: label(want), Problem: "is missing", SQL: want.create(in), since: want.since()}}
	}
	var all []Difference
	for _, c := range want.changes(h, in) {
		all = append(all, Difference{
			Object: label(want), Problem: c.problem, Have: c.have, Want: c.want, SQL: c.repair, since: want.since(),
		})
	}
	return all
}

func find[T object[T]](all []T, id string) (T, bool) {
	if i := slices.IndexFunc(all, func(o T) bool { return o.id() == id }); i >= 0 {
		return all[i], true
	}
	var none T
	return none, false
}

func label[T object[T]](o T) string { return string(o.kind()) + " " + o.id() }

// Count is the number of correct objects of one kind.
type Count struct {
	Kind string `json:"kind"` // column, index, constraint, trigger, function, primary key
	// Later is true for objects of later migrations than 1: hardening.
	Later   bool `json:"later"`
	Correct int  `json:"correct"`
	Want    int  `json:"want"`
}

// counts returns the counts per kind in the order in which they are shown: first the
// objects of migration 1.
func (c *Catalog) counts(have *Catalog, in string) []Count {
	var all []Count
	for _, later := range []bool{false, true} {
		all = append(all,
			count(c.Columns, have.Columns, columns, later, in),
			count(c.Indexes, have.Indexes, indexes, later, in),
			count(c.Constraints, have.Constraints, constraints, later, in),
			count(c.Triggers, have.Triggers, triggers, later, in),
			count(c.Functions, have.Functions, functions, later, in),
			count(c.Constraints, have.Constraints, primaryKeys, later, in))
	}
	return slices.DeleteFunc(all, func(n Count) bool { return n.Want == 0 })
}

func count[T object[T]](want, have []T, k kind, later bool, in string) Count {
	n := Count{Kind: string(k), Later: later}
	for _, w := range want {
		if w.kind() != k || w.since() > 1 != later {
			continue
		}
		n.Want++
		if len(differences(w, have, in)) == 0 {
			n.Correct++
		}
	}
	return n
}
