package migrate

import "slices"

// Count is how many objects of one kind are as they should be.
type Count struct {
	Kind string `json:"kind"` // column, index, constraint, trigger, function, primary key
	// Later says that they came after migration 1: hardening.
	Later   bool `json:"later"`
	Correct int  `json:"correct"`
	Want    int  `json:"want"`
}

// counts are those of the kinds in the order in which people look at them, first
// what migration 1 makes.
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
