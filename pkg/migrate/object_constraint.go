package migrate

import "strings"

func (c Constraint) id() string { return c.Table + "." + c.Name }

func (c Constraint) kind() kind {
	if c.Primary {
		return primaryKeys
	}
	return constraints
}

func (c Constraint) changes(have Constraint, in string) []change {
	switch {
	case !c.matches(have.Definition):
		return []change{c.redefined(have.Definition, append(c.drop(in), c.create(in)...))}
	case c.Valid && !have.Valid:
		return []change{{
			problem: "is NOT VALID: rows that were there before it may break it",
			mend:    []string{c.validate(in)},
		}}
	default:
		return nil
	}
}

// create validates a check in a step of its own, in which reads and writes go on.
func (c Constraint) create(in string) []string {
	add := "ADD CONSTRAINT " + c.Name + " " + c.Text
	if !c.deferrable() {
		return []string{alter(in, c.Table, add)}
	}
	return []string{alter(in, c.Table, add+" NOT VALID"), c.validate(in)}
}

// deferrable tells whether the constraint can be added NOT VALID: a check or a
// foreign key.
func (c Constraint) deferrable() bool {
	return strings.HasPrefix(c.Text, "CHECK ") || strings.HasPrefix(c.Text, "FOREIGN KEY ")
}

func (c Constraint) validate(in string) string {
	return alter(in, c.Table, "VALIDATE CONSTRAINT "+c.Name)
}

func (c Constraint) drop(in string) []string {
	return []string{alter(in, c.Table, "DROP CONSTRAINT IF EXISTS "+c.Name)}
}
