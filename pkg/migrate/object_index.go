package migrate

import "strings"

func (i Index) id() string { return i.Name }
func (i Index) kind() kind { return indexes }

func (i Index) changes(have Index, in string) []change {
	switch {
	case !i.matches(have.Definition):
		return []change{i.redefined(have.Definition, append(i.drop(in), i.create(in)...))}
	case i.Valid && !have.Valid:
		return []change{{
			problem: "is invalid: its making was broken off, and no query uses it",
			mend:    []string{"REINDEX INDEX CONCURRENTLY " + in + "." + i.Name + ";"},
		}}
	default:
		return nil
	}
}

func (i Index) create(in string) []string {
	definition := on(in, i.Table, i.Text)
	return []string{strings.Replace(definition, "INDEX ", "INDEX CONCURRENTLY ", 1) + ";"}
}

func (i Index) drop(in string) []string {
	return []string{"DROP INDEX CONCURRENTLY IF EXISTS " + in + "." + i.Name + ";"}
}
