package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
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

// findMisspelt warns of variables that are not ours but look as if they were
// meant to be. The environment is full of other programs' variables, so it takes
// a close likeness, and no warning is given when the one that is meant is set.
func (l *loader) findMisspelt() {
	names := l.names()
	for _, name := range slices.Sorted(maps.Keys(l.settings)) {
		if slices.Contains(names, name) {
			continue
		}
		if meant := closest(name, names); meant != "" {
			if _, set := l.settings[meant]; !set {
				l.warn(name, "not a variable of reims-health, so it has no effect: did you mean "+meant+"?")
			}
		} else if base, ok := strings.CutSuffix(name, "_FILE"); ok && slices.Contains(names, base) {
			l.warn(name, "has no effect: only secrets can come from a file")
		}
	}
}

// names returns every name that counts, those of the files of secrets included.
func (l *loader) names() []string {
	var names []string
	for _, v := range l.variables {
		names = append(names, v.Name)
		if v.Secret {
			names = append(names, v.Name+"_FILE")
		}
	}
	return names
}

// closest returns the name that was probably meant, or "".
func closest(name string, names []string) string {
	name = strings.ToUpper(name)
	best, least := "", 3
	for _, candidate := range names {
		distance := levenshtein.ComputeDistance(name, candidate)
		if distance < least && alike(name, candidate, distance) {
			best, least = candidate, distance
		}
	}
	if best != "" {
		return best
	}
	for _, candidate := range names {
		if sameWord(name, candidate) {
			return candidate
		}
	}
	return ""
}

// longName is a length at which two differing letters are no coincidence;
// REDIS_CERT is that near to REDIS_PORT.
const longName = 16

func alike(name, candidate string, distance int) bool {
	return distance < 2 || len(name) >= longName || letters(name) == letters(candidate)
}

// letters sorts them, so that two that changed places make no difference.
func letters(name string) string {
	sorted := []byte(name)
	slices.Sort(sorted)
	return string(sorted)
}

// sameWord reports whether the names differ in the length of their last word only,
// as DATABASE_PASS and DATABASE_USERNAME do from ours.
func sameWord(a, b string) bool {
	short, long := a, b
	if len(a) > len(b) {
		short, long = b, a
	}
	rest, ok := strings.CutPrefix(long, short)
	word := short[strings.LastIndex(short, "_")+1:]
	return ok && len(word) >= 4 && len(word) < len(short) && !strings.ContainsAny(rest, "_0123456789")
}
