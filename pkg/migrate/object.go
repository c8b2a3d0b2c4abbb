package migrate

import "strings"

// Added says which migration made an object; 0 in a live catalog, which does not
// know.
type Added struct {
	Since int64 `json:"since,omitempty"`
}

// Names are SQL identifiers, quoted where SQL wants that; texts are as the server
// writes them. They name no schema.
type (
	// Column is one column of a table.
	Column struct {
		Table   string `json:"table"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		NotNull bool   `json:"not_null"`
		Default string `json:"default"` // empty for none
		Added
	}
	// Constraint is a constraint other than NOT NULL.
	Constraint struct {
		Table   string `json:"table"`
		Name    string `json:"name"`
		Primary bool   `json:"primary"` // the primary key
		Definition
		Valid bool `json:"valid"` // false for one that was added NOT VALID
		Added
	}
	// Index is an index that belongs to no constraint.
	Index struct {
		Table string `json:"table"`
		Name  string `json:"name"`
		Definition
		Valid bool `json:"valid"`
		Added
	}
	// Trigger is a trigger that the system did not make for itself.
	Trigger struct {
		Table string `json:"table"`
		Name  string `json:"name"`
		Definition
		Enabled bool `json:"enabled"`
		// Always says that it fires for replicated rows as well.
		Always bool `json:"always,omitempty"`
		Added
	}
	// Function is a function; its name has the types of its arguments.
	Function struct {
		Name string `json:"name"`
		Definition
		Added
	}
)

// Definition is an object's definition. A server may write it in another way when
// it was made from its own words, as in a database that was restored from a dump:
// Restored is that form, where it differs.
type Definition struct {
	Text     string `json:"definition"`
	Restored string `json:"restored,omitempty"`
}

func (d Definition) matches(have Definition) bool {
	return have.Text == d.Text || d.Restored != "" && have.Text == d.Restored
}

// change is one way in which an object differs from what it should be.
type change struct {
	problem string
	mend    []string // SQL
	// have and want are definitions, where the problem is that they are different.
	have, want string
}

// redefined is the change of an object whose definition is another one.
func (d Definition) redefined(have Definition, mend []string) change {
	return change{problem: "has another definition", mend: mend, have: have.Text, want: d.Text}
}

// object is one kind of thing that migrations create. Every statement that its
// methods return can be run on its own, in the order given; in is the schema.
type object[T any] interface {
	id() string // unique within its kind
	since() int64
	kind() kind
	changes(have T, in string) []change
	create(in string) []string
	// drop removes it, and does nothing where that already went with another one.
	drop(in string) []string
}

func (a Added) since() int64 { return a.Since }

// alter is ALTER TABLE with the action.
func alter(in, table, action string) string {
	return "ALTER TABLE " + in + "." + table + " " + action + ";"
}

// on puts the schema before the table of an index's or a trigger's definition.
func on(in, table, definition string) string {
	return strings.Replace(definition, " ON "+table+" ", " ON "+in+"."+table+" ", 1)
}
