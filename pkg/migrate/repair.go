package migrate

import (
	"slices"
	"strings"
)

// planRepair plans the changes so that the table is scanned as rarely as possible: all
// rows are filled in by one statement, and one ALTER TABLE checks every constraint.
func (a *adoption) planRepair(have *Catalog) {
	early, late := a.indexes(have)
	a.shared = append(a.fill(have), repairs(early, nil, a.schema)...)
	a.exclusive = append(a.exclusive, repairs(a.want.Functions, have.Functions, a.schema)...)
	a.exclusive = append(a.exclusive, a.alter(have)...)
	a.exclusive = append(a.exclusive, repairs(late, have.Indexes, a.schema)...)
	a.exclusive = append(a.exclusive, repairs(a.want.Triggers, have.Triggers, a.schema)...)
}

// indexes separates the indexes that can be created while others read from those that replace one,
// or would be created again when the type of their column changes.
func (a *adoption) indexes(have *Catalog) (early, late []Index) {
	for _, want := range a.want.Indexes {
		_, there := find(have.Indexes, want.id())
		retyped := slices.ContainsFunc(a.want.Columns, func(c Column) bool {
			h, ok := find(have.Columns, c.id())
			return ok && h.Type != c.Type && strings.Contains(want.Text, c.Name)
		})
		if there || retyped {
			late = append(late, want)
		} else {
			early = append(early, want)
		}
	}
	return early, late
}

func (a *adoption) alter(have *Catalog) []string {
	var actions []string
	for _, want := range a.want.Constraints {
		h, ok := find(have.Constraints, want.id())
		actions = append(actions, want.actions(h, ok)...)
	}
	for _, want := range a.want.Columns {
		if h, ok := find(have.Columns, want.id()); ok {
			actions = append(actions, want.actions(h)...)
		}
	}
	if len(actions) == 0 {
		return nil
	}
	return []string{alter(a.schema, table, "\n    "+strings.Join(actions, ",\n    "))}
}

// repairs returns the SQL for missing and different objects, in a form that can run in
// a transaction.
func repairs[T object[T]](want, have []T, in string) []string {
	var all []string
	for _, w := range want {
		for _, d := range differences(w, have, in) {
			for _, statement := range d.SQL {
				all = append(all, strings.Replace(statement, " CONCURRENTLY", "", 1))
			}
		}
	}
	return all
}

// unfilled returns the columns whose NULLs are replaced by the default.
func (a *adoption) unfilled(have *Catalog) []Column {
	return slices.DeleteFunc(slices.Clone(a.want.Columns), func(want Column) bool {
		h, ok := find(have.Columns, want.id())
		return !ok || !want.NotNull || h.NotNull || want.Default == ""
	})
}

// fill sets the defaults in rows that lack them. No trigger fires, so updated_at does not
// change. Each trigger keeps its mode, such as ENABLE ALWAYS.
func (a *adoption) fill(have *Catalog) []string {
	var set, where []string
	for _, want := range a.unfilled(have) {
		set = append(set, want.Name+" = coalesce("+want.Name+", "+want.Default+")")
		where = append(where, want.Name+" IS NULL")
	}
	if len(set) == 0 {
		return nil
	}
	update := "UPDATE " + a.schema + "." + table + "\n    SET " + strings.Join(set, ",\n        ") +
		"\n    WHERE " + strings.Join(where, " OR ") + ";"
	before, after := a.others.quiet(a.schema)
	return append(append(before, update), after...)
}

// actions are for ALTER TABLE, in a session at UTC.
func (c Column) actions(have Column) []string {
	var actions []string
	column := "ALTER COLUMN " + c.Name + " "
	if have.Type != c.Type {
		actions = append(actions, column+"TYPE "+c.Type)
	}
	if have.Default != c.Default {
		actions = append(actions, column+c.setDefault())
	}
	switch {
	case c.NotNull && !have.NotNull:
		actions = append(actions, column+"SET NOT NULL")
	case have.NotNull && !c.NotNull:
		actions = append(actions, column+"DROP NOT NULL")
	}
	return actions
}

// actions are for ALTER TABLE. An added constraint is validated by the same scan.
func (c Constraint) actions(have Constraint, ok bool) []string {
	add := "ADD CONSTRAINT " + c.Name + " " + c.Text
	switch {
	case !ok:
		return []string{add}
	case !c.matches(have.Definition):
		return []string{"DROP CONSTRAINT " + c.Name, add}
	case c.Valid && !have.Valid:
		return []string{"VALIDATE CONSTRAINT " + c.Name}
	default:
		return nil
	}
}

// rename finds objects that exist under another name, plans to rename them, and renames
// them in have. Tools have naming schemes of their own, such as ix_properties_status.
func (a *adoption) rename(have *Catalog) {
	renames(a, a.want.Constraints, have.Constraints, func(want Constraint, have *Constraint) string {
		if want.Table != have.Table || !want.matches(have.Definition) {
			return ""
		}
		old := have.Name
		have.Name = want.Name
		return alter(a.schema, want.Table, "RENAME CONSTRAINT "+old+" TO "+want.Name)
	})
	renames(a, a.want.Indexes, have.Indexes, func(want Index, have *Index) string {
		text := strings.Replace(have.Text, "INDEX "+have.Name+" ON ", "INDEX "+want.Name+" ON ", 1)
		if !want.matches(Definition{Text: text}) {
			return ""
		}
		old := have.Name
		have.Name, have.Text = want.Name, text
		return "ALTER INDEX " + a.schema + "." + old + " RENAME TO " + want.Name + ";"
	})
	renames(a, a.want.Triggers, have.Triggers, func(want Trigger, have *Trigger) string {
		text := strings.Replace(have.Text, "TRIGGER "+have.Name+" ", "TRIGGER "+want.Name+" ", 1)
		if !want.matches(Definition{Text: text}) {
			return ""
		}
		old := have.Name
		have.Name, have.Text = want.Name, text
		return "ALTER TRIGGER " + old + " ON " + a.schema + "." + want.Table + " RENAME TO " + want.Name + ";"
	})
}

// renames tries to match each missing object with the existing ones that are not wanted.
// Try returns the statement, or "" if the object does not match.
func renames[T object[T]](a *adoption, want, have []T, try func(want T, have *T) string) {
	for _, w := range want {
		if _, ok := find(have, w.id()); ok {
			continue
		}
		for i := range have {
			if _, wanted := find(want, have[i].id()); wanted {
				continue
			}
			old := label(have[i])
			if statement := try(w, &have[i]); statement != "" {
				a.exclusive = append(a.exclusive, statement)
				a.changes = append(a.changes, old+" is renamed to "+w.id())
				break
			}
		}
	}
}
