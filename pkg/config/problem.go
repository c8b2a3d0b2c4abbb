package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Problem is one error or warning.
type Problem struct {
	Variable string // the variable, or --env-file
	Text     string // what is wrong and how to correct it; holds no secret
}

// String returns one line for people.
func (p Problem) String() string { return p.Variable + ": " + p.Text }

// Error lists every problem, in the order of the reference. The program exits with code 2
// because of it.
type Error struct{ Problems []Problem }

// Error returns a heading and one line per problem.
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

// hasProblem reports whether the variable, or its NAME_FILE, has a problem already.
func (r *report) hasProblem(variable string) bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool {
		return p.Variable == variable || p.Variable == variable+"_FILE"
	})
}

// valueError says what is wrong with a value. Its text holds no secret.
type valueError struct{ text string }

func (e *valueError) Error() string { return e.text }

// Invalid returns an error that says what is wrong with a value. Its text must hold no
// secret: use [Quote] for the value.
func Invalid(format string, args ...any) error {
	return &valueError{fmt.Sprintf(format, args...)}
}

const quotedRunes = 40

// Quote returns a value for a message. A long value is shortened. A value that could hold
// credentials, such as a connection string given as a host, becomes "the value".
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

// warnOfMisspelt warns of unknown variables whose names resemble one of ours. The
// environment has many variables of other programs, so the names must be very similar,
// and there is no warning if the similar variable is set too.
func (l *loader) warnOfMisspelt() {
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

// names returns the names of all variables, including the NAME_FILE of secrets.
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

// closest returns the name among names that name is probably a misspelling of, or "".
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

// longName is the length from which names that differ in two letters are alike. Shorter
// ones need not be: REDIS_CERT is not a misspelling of REDIS_PORT.
const longName = 16

func alike(name, candidate string, distance int) bool {
	return distance < 2 || len(name) >= longName || letters(name) == letters(candidate)
}

// letters returns the letters in sorted order, so that swapped letters make no difference.
func letters(name string) string {
	sorted := []byte(name)
	slices.Sort(sorted)
	return string(sorted)
}

// sameWord reports whether the names differ in the length of their last word only, as
// DATABASE_PASS and DATABASE_PASSWORD do.
func sameWord(a, b string) bool {
	short, long := a, b
	if len(a) > len(b) {
		short, long = b, a
	}
	rest, ok := strings.CutPrefix(long, short)
	word := short[strings.LastIndex(short, "_")+1:]
	return ok && len(word) >= 4 && len(word) < len(short) && !strings.ContainsAny(rest, "_0123456789")
}
