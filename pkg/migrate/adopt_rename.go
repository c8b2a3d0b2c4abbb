package migrate

import "strings"

// rename finds what is there under another name, plans to give it ours, and does so in
// have. Tools name what they make in their own ways: ix_properties_status.
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

// renames offers each object that is missing those that are there and not wanted.
// Try returns the statement, or "" for one that is something else.
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
