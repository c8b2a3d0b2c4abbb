package migrate

import "strings"

func (f Function) id() string { return f.Name }
func (f Function) kind() kind { return functions }

func (f Function) changes(have Function, in string) []change {
	if f.matches(have.Definition) {
		return nil
	}
	return []change{f.redefined(have.Definition, f.create(in))}
}

func (f Function) create(in string) []string {
	definition := strings.TrimRight(f.Text, "\n") + ";"
	return []string{strings.Replace(definition, " FUNCTION ", " FUNCTION "+in+".", 1)}
}

func (f Function) drop(in string) []string {
	return []string{"DROP FUNCTION IF EXISTS " + in + "." + f.Name + ";"}
}
