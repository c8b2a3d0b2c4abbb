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

// retype changes the type with no loss: a value that does not fit is an error.
func (c Column) retype(have Column, in string) []string {
	column := "ALTER COLUMN " + c.Name + " "
	action := column + "TYPE " + c.Type
	switch {
	case have.Type == "timestamp without time zone" && c.Type == "timestamp with time zone":
		// They are UTC. With the session at UTC no row is rewritten.
		return []string{"BEGIN; SET LOCAL TimeZone = 'UTC'; " + alter(in, c.Table, action) + " COMMIT;"}
	case !strings.HasPrefix(c.Type, "character"): // an explicit cast would truncate
		action += " USING " + c.Name + "::" + c.Type
	}
	if have.Default != "" { // it may have no cast of its own
		action = column + "DROP DEFAULT, " + action
	}
	if have.Default != "" && c.Default != "" {
		action += ", " + column + "SET DEFAULT " + c.Default
	}
	return []string{alter(in, c.Table, action)}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
