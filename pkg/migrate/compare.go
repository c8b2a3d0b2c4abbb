package migrate

import "slices"

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

// Difference is one way in which a database differs from what it should be.
type Difference struct {
	// Object is what differs, such as "index idx_properties_status".
	Object  string `json:"object"`
	Problem string `json:"problem"`
	// Have and Want are the definitions, where those are different.
	Have string `json:"have,omitempty"`
	Want string `json:"want,omitempty"`
	// Extra says that the object should not be there at all.
	Extra bool `json:"extra"`
	// SQL mends it when run one statement after the other, in one session and in no
	// transaction. There is none where that is for a pending migration to do.
	SQL []string `json:"sql"`

	since int64 // the migration that made the object
}

// Compare returns what is different in have, and the SQL that would make it the same
// as c in the schema in. The order is that in which the SQL works.
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
			all = append(all, Difference{Object: label(h), Problem: "is not of this schema", Extra: true, SQL: h.drop(in)})
		}
	}
	return all
}

// differences are those of one object.
func differences[T object[T]](want T, have []T, in string) []Difference {
	h, ok := find(have, want.id())
	if !ok {
		return []Difference{{Object: label(want), Problem: "is missing", SQL: want.create(in), since: want.since()}}
	}
	var all []Difference
	for _, c := range want.changes(h, in) {
		all = append(all, Difference{
			Object: label(want), Problem: c.problem, Have: c.have, Want: c.want, SQL: c.mend, since: want.since(),
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
