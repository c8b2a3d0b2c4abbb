package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNotMigrated is the error for a database without any object of the schema.
var ErrNotMigrated = errors.New("it holds nothing of the schema yet: run reims-health migrate up")

// Report is the result of [Verify].
type Report struct {
	Server string `json:"server"`
	// Version is the database's version of the schema, nil where it cannot be read;
	// Latest is the one that the database was compared with.
	Version *int64 `json:"version"`
	Latest  int64  `json:"latest"`
	// Managed is true if the version table exists.
	Managed bool `json:"managed"`
	// History is the problem with the versions; empty if
	// there is none or they cannot be read.
	History     string       `json:"history,omitempty"`
	Counts      []Count      `json:"counts"`
	Differences []Difference `json:"differences"`
}

// TxStarter begins a transaction: a pool or a connection of pgx.
type TxStarter interface {
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
}

// Verify compares a database with the snapshot of the embedded migrations. It reads the
// catalog in one transaction, independent of the settings of role and database, and
// writes nothing. The error matches [ErrNotMigrated] if there is nothing to compare, and
// is a [*HistoryError] if search_path does not lead to the tables.
func Verify(ctx context.Context, db TxStarter) (_ *Report, err error) {
	tx, err := db.BeginTx(ctx, pgx.TxOptions{BeginQuery: beginReading(Options{}, false)})
	if err != nil {
		return nil, fmt.Errorf("begin to read the catalog: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // there is nothing to keep
	want, err := EmbeddedSnapshot()
	if err != nil {
		return nil, err
	}
	tables, functions := want.names()
	have, err := ReadDatabase(ctx, tx, tables, functions)
	if err != nil {
		return nil, err
	}
	where, err := readPlace(ctx, tx)
	if err != nil {
		return nil, err
	}
	if have.Schema == "" {
		return nil, nothingThere(have, where)
	}
	r := &Report{
		Server:      have.Server,
		Version:     have.Version(),
		History:     wrongHistory(have.Versions, nil, want.Version),
		Latest:      want.Version,
		Managed:     have.Versioned,
		Counts:      want.counts(&have.Catalog, have.Schema),
		Differences: want.Compare(&have.Catalog, have.Schema),
	}
	r.leaveToMigrations()
	return r, nil
}

// nothingThere returns why there is no table to compare.
func nothingThere(have *Database, where place) error {
	switch {
	case len(where.elsewhere) > 0:
		return &HistoryError{Problem: where.hidden()}
	case len(have.Versions) > 0:
		return fmt.Errorf("%w; the table %s.%s records version %d all the same. %s", ErrNotMigrated,
			where.schema, versionTable, *have.Version(), foreign)
	default:
		return ErrNotMigrated
	}
}

// leaveToMigrations removes the SQL that would conflict with a migration that
// is pending.
func (r *Report) leaveToMigrations() {
	version := r.Latest - r.Pending()
	for i := range r.Differences {
		if d := &r.Differences[i]; d.since > version {
			d.Problem += fmt.Sprintf(" (migration %d is pending)", d.since)
			d.SQL = []string{}
		}
	}
}

// Pending returns the number of pending migrations.
func (r *Report) Pending() int64 {
	switch {
	case !r.Managed:
		return r.Latest
	case r.Version == nil:
		return 0
	default:
		return max(r.Latest-*r.Version, 0)
	}
}

// Drift returns the differences that are errors: extra objects only if strict.
func (r *Report) Drift(strict bool) []Difference {
	var drift []Difference
	for _, d := range r.Differences {
		if strict || !d.Extra {
			drift = append(drift, d)
		}
	}
	return drift
}

// Err returns why the database does not match, or nil.
func (r *Report) Err(strict bool) error {
	drift := len(r.Drift(strict))
	switch {
	case !r.Managed:
		return errors.New("the tables are there and the table goose_db_version is not: " +
			"reims-health migrate up takes them under management")
	case r.History != "":
		return fmt.Errorf("%s: %s. %s", versionTable, r.History, foreign)
	case r.Pending() > 0:
		return plural(r.Pending(), "migration is", "migrations are", " pending: run reims-health migrate up")
	case drift > 0:
		return plural(int64(drift), "difference", "differences", " from the schema of the migrations")
	default:
		return nil
	}
}

// Print writes the report for people: the counts, and each difference with the SQL
// that repairs it. The part with the differences is valid SQL as a whole.
func (r *Report) Print(w io.Writer, strict bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, schema version %s\n", r.Server, r.version())
	for _, n := range r.Counts {
		fmt.Fprintf(&b, "%3d of %d %s\n", n.Correct, n.Want, n.label())
	}
	drift := r.Drift(strict)
	r.printExtra(&b, strict)
	if slices.ContainsFunc(drift, func(d Difference) bool { return len(d.SQL) > 0 }) {
		b.WriteString("\n-- To repair it, run these one by one, as the migrator and in no transaction:\n")
	}
	for _, d := range drift {
		d.print(&b)
	}
	if r.Err(strict) == nil {
		b.WriteString("verified: the database is what the migrations create\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes one difference, in SQL.
func (d Difference) print(b *strings.Builder) {
	fmt.Fprintf(b, "\n-- %s %s\n", d.Object, d.Problem)
	if d.Want != "" {
		fmt.Fprintf(b, "%s%s", comment("have", d.Have), comment("want", d.Want))
	}
	for _, statement := range d.SQL {
		fmt.Fprintln(b, statement)
	}
}

// comment returns a definition as lines of SQL comments.
func comment(name, definition string) string {
	lines := strings.ReplaceAll(strings.TrimSpace(definition), "\n", "\n--        ")
	return fmt.Sprintf("--   %s %s\n", name, lines)
}

// printExtra lists extra objects, which are not errors.
func (r *Report) printExtra(b *strings.Builder, strict bool) {
	for _, d := range r.Differences {
		if d.Extra && !strict {
			fmt.Fprintf(b, "note: %s %s\n", d.Object, d.Problem)
		}
	}
}

func (r *Report) version() string {
	switch {
	case !r.Managed:
		return "none (there is no table goose_db_version)"
	case r.Version == nil:
		return "unknown (the role lacks SELECT on goose_db_version)"
	case *r.Version > r.Latest:
		return fmt.Sprintf("%d (newer than this program, which compares with %d)", *r.Version, r.Latest)
	default:
		return fmt.Sprintf("%d of %d", *r.Version, r.Latest)
	}
}

func (n Count) label() string {
	text := n.Kind + "s"
	if n.Kind == string(indexes) {
		text = "indexes"
	}
	if n.Later {
		text += " added by later migrations"
	}
	return text
}

// PrintJSON writes the report for programs.
func (r *Report) PrintJSON(w io.Writer, strict bool) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Verified bool  `json:"verified"`
		Pending  int64 `json:"pending"`
		*Report
	}{r.Err(strict) == nil, r.Pending(), r})
}

func plural(n int64, one, many, rest string) error {
	if n != 1 {
		one = many
	}
	return fmt.Errorf("%d %s%s", n, one, rest)
}
