package migrate

import (
	"fmt"
	"strings"
)

func (c Column) id() string { return c.Table + "." + c.Name }
func (c Column) kind() kind { return columns }

func (c Column) changes(have Column, in string) []change {
	var changes []change
	if have.Type != c.Type {
		changes = append(changes, change{
			problem: fmt.Sprintf("type is %s, want %s", have.Type, c.Type),
			mend:    c.retype(have, in),
		})
	}
	if have.Default != c.Default {
		changes = append(changes, change{
			problem: fmt.Sprintf("default is %s, want %s", orNone(have.Default), orNone(c.Default)),
			mend:    []string{c.alter(in, c.setDefault())},
		})
	}
	switch {
	case have.NotNull && !c.NotNull:
		changes = append(changes, change{problem: "is NOT NULL, want nullable", mend: []string{c.alter(in, "DROP NOT NULL")}})
	case c.NotNull && !have.NotNull:
		changes = append(changes, change{problem: "is nullable, want NOT NULL", mend: c.forbidNull(in)})
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

// guard runs the statement only if the cast to the type changes no value. It is one
// statement, so that nobody can go on after the check has failed.
func (c Column) guard(have Column, in, statement string) string {
	table, exact := in+"."+c.Table, c.exact(have)
	return fmt.Sprintf("DO $mend$ BEGIN SET LOCAL TimeZone = 'UTC'; LOCK TABLE %s; "+
		"IF EXISTS (SELECT FROM %s WHERE %s::%s IS DISTINCT FROM %s::%s::%s) THEN "+
		"RAISE EXCEPTION USING MESSAGE = $text$column %s has values that %s would change$text$; END IF; %s END $mend$;",
		table, table, c.Name, exact, c.Name, c.Type, exact, c.id(), c.Type, statement)
}

// exact is a type that holds all of the values that are there. Text can write one
// value in many ways, so what it means is compared.
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
