package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong, or worth a warning.
type Problem struct {
	Variable string // the variable, or --env-file
	Text     string // what is wrong and what would be right; never a secret
}

// String returns one line for people.
func (p Problem) String() string { return p.Variable + ": " + p.Text }

// Error lists everything that is wrong, in the order of the reference. A
// program that meets it exits with code 2.
type Error struct{ Problems []Problem }

// Error returns a heading and one line a problem.
func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		b.WriteString("configuration: 1 problem")
	} else {
		fmt.Fprintf(&b, "configuration: %d problems", len(e.Problems))
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// report collects problems and warnings.
type report struct {
	problems, warnings []Problem
}

func (r *report) problem(variable, text string) {
	r.problems = append(r.problems, Problem{variable, text})
}

func (r *report) warn(variable, text string) {
	r.warnings = append(r.warnings, Problem{variable, text})
}

// wrong reports whether the variable, or its NAME_FILE, has a problem already.
func (r *report) wrong(variable string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool {
		return p.Variable == variable || p.Variable == variable+"_FILE"
	})
}

// valueError says what is wrong with a value. Its text never holds a secret.
type valueError struct{ text string }

func (e *valueError) Error() string { return e.text }

// Invalid returns an error that says what is wrong with a value. Its text must hold
// nothing secret: use [Quote].
func Invalid(format string, args ...any) error {
	return &valueError{fmt.Sprintf(format, args...)}
}

const quotedRunes = 40

// Quote shows a value within a message: cut short, and not at all where it could
// carry credentials, as a connection string in the place of a host does.
func Quote(value string) string {
	if strings.ContainsAny(value, "@=\r\n") {
		return "the value"
	}
	if r := []rune(value); len(r) > quotedRunes {
		return strconv.Quote(string(r[:quotedRunes])) + "…"
	}
	return strconv.Quote(value)
}

func itoa(n int) string { return strconv.Itoa(n) }
