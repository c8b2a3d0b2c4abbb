package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

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
