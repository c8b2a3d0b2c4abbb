package migrate

import (
	"fmt"
	"strings"
)

// Added says which migration made an object; 0 in a live catalog, where that is unknown.
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

// Definition is an object's definition. A server may print it differently after a
// restore from a dump, because the object was then created from the printed form:
// Restored is that second form, where it differs.
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
	repair  []string // SQL
	// have and want are definitions, where the problem is that they are different.
	have, want string
}

// redefined is the change of an object whose definition is another one.
func (d Definition) redefined(have Definition, repair []string) change {
	return change{problem: "has another definition", repair: repair, have: have.Text, want: d.Text}
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

func (c Column) id() string { return c.Table + "." + c.Name }
func (c Column) kind() kind { return columns }

func (c Column) changes(have Column, in string) []change {
	var changes []change
	if have.Type != c.Type {
		changes = append(changes, change{
			problem: fmt.Sprintf("type is %s, want %s", have.Type, c.Type),
			repair:  c.retype(have, in),
		})
	}
	if have.Default != c.Default {
		changes = append(changes, change{
			problem: fmt.Sprintf("default is %s, want %s", orNone(have.Default), orNone(c.Default)),
			repair:  []string{c.alter(in, c.setDefault())},
		})
	}
	switch {
	case have.NotNull && !c.NotNull:
		changes = append(changes, change{problem: "is NOT NULL, want nullable", repair: []string{c.alter(in, "DROP NOT NULL")}})
	case c.NotNull && !have.NotNull:
		changes = append(changes, change{problem: "is nullable, want NOT NULL", repair: c.forbidNull(in)})
	}
	return changes
}

// create adds the column nullable first, since rows that are there have no value
// for one without a default.
func (c Column) create(in string) []string {
	add := "ADD COLUMN " + c.Name + " " + c.Type
	if c.Default != "" {
		add += " DEFAULT " + c.Default
	}
	statements := []string{alter(in, c.Table, add)}
	if c.NotNull {
		statements = append(statements, c.alter(in, "SET NOT NULL"))
	}
	return statements
}

func (c Column) drop(in string) []string {
	return []string{alter(in, c.Table, "DROP COLUMN IF EXISTS "+c.Name)}
}

func (c Column) alter(in, action string) string {
	return alter(in, c.Table, "ALTER COLUMN "+c.Name+" "+action)
}

func (c Column) setDefault() string {
	if c.Default == "" {
		return "DROP DEFAULT"
	}
	return "SET DEFAULT " + c.Default
}

// forbidNull gives the rows without a value the default, if there is one.
func (c Column) forbidNull(in string) []string {
	set := c.alter(in, "SET NOT NULL")
	if c.Default == "" {
		return []string{set}
	}
	fill := fmt.Sprintf("UPDATE %s.%s SET %s = DEFAULT WHERE %s IS NULL;", in, c.Table, c.Name, c.Name)
	return []string{fill, set}
}

// retype changes the type with no loss: a value that does not fit is an error. Times
// without a zone are UTC.
func (c Column) retype(have Column, in string) []string {
	column := "ALTER COLUMN " + c.Name + " "
	action := column + "TYPE " + c.Type
	if have.Type == "timestamp without time zone" && c.Type == "timestamp with time zone" {
		// With the session at UTC no row is rewritten.
		return []string{"BEGIN; SET LOCAL TimeZone = 'UTC'; " + alter(in, c.Table, action) + " COMMIT;"}
	}
	cast := !strings.HasPrefix(c.Type, "character") // an explicit cast would truncate
	if cast {
		action += " USING " + c.Name + "::" + c.Type
	}
	if have.Default != "" { // it may have no cast of its own
		action = column + "DROP DEFAULT, " + action
	}
	if have.Default != "" && c.Default != "" {
		action += ", " + column + "SET DEFAULT " + c.Default
	}
	statement := alter(in, c.Table, action)
	if cast && c.Type != "text" { // text holds every value
		statement = c.guard(have, in, statement)
	}
	return []string{statement}
}

// guard runs the statement only if the cast to the type changes no value. It is a single
// statement, so that a failed check always prevents the change.
func (c Column) guard(have Column, in, statement string) string {
	table, exact := in+"."+c.Table, c.exact(have)
	return fmt.Sprintf("DO $repair$ BEGIN SET LOCAL TimeZone = 'UTC'; LOCK TABLE %s; "+
		"IF EXISTS (SELECT FROM %s WHERE %s::%s IS DISTINCT FROM %s::%s::%s) THEN "+
		"RAISE EXCEPTION USING MESSAGE = $text$column %s has values that %s would change$text$; END IF; %s END $repair$;",
		table, table, c.Name, exact, c.Name, c.Type, exact, c.id(), c.Type, statement)
}

// exact returns a type that can hold all existing values. Text can represent one value
// in several ways, so the parsed values are compared.
func (c Column) exact(have Column) string {
	switch {
	case have.Type != "text" && !strings.HasPrefix(have.Type, "character"):
		return have.Type
	case c.Type == "date":
		return "timestamp without time zone"
	default:
		whole, _, _ := strings.Cut(c.Type, "(")
		return whole
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

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
			repair:  []string{c.validate(in)},
		}}
	default:
		return nil
	}
}

// create validates a check in a step of its own, in which reads and writes go on.
func (c Constraint) create(in string) []string {
	add := "ADD CONSTRAINT " + c.Name + " " + c.Text
	if !c.supportsNotValid() {
		return []string{alter(in, c.Table, add)}
	}
	return []string{alter(in, c.Table, add+" NOT VALID"), c.validate(in)}
}

// supportsNotValid reports whether the constraint can be added NOT VALID: a check or a
// foreign key.
func (c Constraint) supportsNotValid() bool {
	return strings.HasPrefix(c.Text, "CHECK ") || strings.HasPrefix(c.Text, "FOREIGN KEY ")
}

func (c Constraint) validate(in string) string {
	return alter(in, c.Table, "VALIDATE CONSTRAINT "+c.Name)
}

func (c Constraint) drop(in string) []string {
	return []string{alter(in, c.Table, "DROP CONSTRAINT IF EXISTS "+c.Name)}
}

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

func (i Index) id() string { return i.Name }
func (i Index) kind() kind { return indexes }

func (i Index) changes(have Index, in string) []change {
	switch {
	case !i.matches(have.Definition):
		return []change{i.redefined(have.Definition, append(i.drop(in), i.create(in)...))}
	case i.Valid && !have.Valid:
		return []change{{
			problem: "is invalid: its making was broken off, and no query uses it",
			repair:  []string{"REINDEX INDEX CONCURRENTLY " + in + "." + i.Name + ";"},
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

func (t Trigger) id() string { return t.Table + "." + t.Name }
func (t Trigger) kind() kind { return triggers }

func (t Trigger) changes(have Trigger, in string) []change {
	var changes []change
	if !t.matches(have.Definition) {
		repair := t.create(in)
		if have.Always { // which CREATE OR REPLACE would take back
			repair = append(repair, alter(in, t.Table, "ENABLE ALWAYS TRIGGER "+t.Name))
		}
		changes = append(changes, t.redefined(have.Definition, repair))
	}
	if t.Enabled && !have.Enabled {
		enable := alter(in, t.Table, "ENABLE TRIGGER "+t.Name)
		changes = append(changes, change{problem: "is disabled", repair: []string{enable}})
	}
	return changes
}

func (t Trigger) create(in string) []string {
	definition := strings.Replace(on(in, t.Table, t.Text), "CREATE ", "CREATE OR REPLACE ", 1)
	return []string{strings.Replace(definition, " EXECUTE FUNCTION ", " EXECUTE FUNCTION "+in+".", 1) + ";"}
}

func (t Trigger) drop(in string) []string {
	return []string{"DROP TRIGGER IF EXISTS " + t.Name + " ON " + in + "." + t.Table + ";"}
}
