package config

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxDuration keeps the sums that are made of durations far from overflow.
const maxDuration = 24 * time.Hour

// check returns the text in the form that decoding takes and everybody compares,
// or what is wrong with it.
func (v Variable) check(text string) (string, error) {
	if v.Secret {
		return text, v.checkSecret(text)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", invalid("the value holds a line break or another control character")
	}
	switch v.field.Interface().(type) {
	case time.Duration:
		return v.checkDuration(text)
	case int:
		return v.checkInt(text)
	case []string:
		return v.checkList(text)
	default:
		return v.checkItem(text)
	}
}

// checkSecret speaks of the value without quoting it.
func (v Variable) checkSecret(text string) error {
	if strings.ContainsRune(text, 0) {
		return invalid("the value holds a NUL character")
	}
	if v.tag.Get("format") == "" {
		return nil
	}
	_, err := formatOf(v.tag.Get("format")).accept(text)
	return err
}

func (v Variable) checkDuration(text string) (string, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return "", invalid("%s is not a duration: give a number and its unit, such as 500ms, 5s or 1m", quote(text))
	case d < 0, d == 0 && v.tag.Get("min") == "":
		return "", invalid("%s is not %s", quote(text), strings.Replace(v.Values, "duration", "a duration", 1))
	case d > maxDuration:
		return "", invalid("%s is longer than 24h", quote(text))
	}
	return d.String(), nil
}

// checkInt reads decimal only: envconfig would take 010 for 8.
func (v Variable) checkInt(text string) (string, error) {
	low, _ := strconv.Atoi(v.tag.Get("min"))
	high, _ := strconv.Atoi(v.tag.Get("max"))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return "", invalid("%s is not a whole number from %d to %d", quote(text), low, high)
	}
	return itoa(n), nil
}

func (v Variable) checkList(text string) (string, error) {
	items := strings.Split(text, ",")
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		item = strings.TrimSpace(item)
		if item == "" {
			return "", invalid("%s has an empty item: separate items by one comma", quote(text))
		}
		item, err := v.checkItem(item)
		if err != nil {
			return "", err
		}
		if seen[item] {
			return "", invalid("%s is listed twice", quote(item))
		}
		seen[item] = true
		items[i] = item
	}
	return strings.Join(items, ","), nil
}

func (v Variable) checkItem(text string) (string, error) {
	if words := v.tag.Get("oneof"); words != "" {
		return oneOf(text, strings.Fields(words))
	}
	if format := v.tag.Get("format"); format != "" {
		return formatOf(format).accept(text)
	}
	if v.field.Type() == reflect.TypeFor[Switch]() {
		return text, new(Switch).EnvDecode(text)
	}
	return text, nil
}

// oneOf ignores case: LOG_LEVEL=INFO is what half the world writes.
func oneOf(text string, words []string) (string, error) {
	lower := strings.ToLower(text)
	for _, word := range words {
		if lower == word {
			return word, nil
		}
	}
	return "", invalid("%s is none of %s", quote(text), strings.Join(words, ", "))
}
