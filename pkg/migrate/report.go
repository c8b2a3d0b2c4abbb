package migrate

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Print writes the report for people: the counts, and each difference with the SQL
// that mends it. What is printed of the differences is SQL as a whole.
func (r *Report) Print(w io.Writer, strict bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, schema version %s\n", r.Server, r.version())
	for _, n := range r.Counts {
		fmt.Fprintf(&b, "%3d of %d %s\n", n.Correct, n.Want, n.label())
	}
	drift := r.Drift(strict)
	r.printExtra(&b, strict)
	if slices.ContainsFunc(drift, func(d Difference) bool { return len(d.SQL) > 0 }) {
		b.WriteString("\n-- To mend it, run these one by one, as the migrator and in no transaction:\n")
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

// comment sets a definition as lines of SQL comment.
func comment(name, definition string) string {
	lines := strings.ReplaceAll(strings.TrimSpace(definition), "\n", "\n--        ")
	return fmt.Sprintf("--   %s %s\n", name, lines)
}

// printExtra lists what does no harm.
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
