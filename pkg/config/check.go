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
		return "", Invalid("the value holds a line break or another control character")
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
		return Invalid("the value holds a NUL character")
	}
	if v.format == nil {
		return nil
	}
	_, err := v.format.accept(text)
	return err
}

func (v Variable) checkDuration(text string) (string, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return "", Invalid("%s is not a duration: give a number and its unit, such as 500ms, 5s or 1m", Quote(text))
	case d < 0, d == 0 && v.tag.Get("min") == "":
		return "", Invalid("%s is not %s", Quote(text), strings.Replace(v.Values, "duration", "a duration", 1))
	case d > maxDuration:
		return "", Invalid("%s is longer than 24h", Quote(text))
	}
	return d.String(), nil
}

// checkInt reads decimal only: envconfig would take 010 for 8.
func (v Variable) checkInt(text string) (string, error) {
	low, _ := strconv.Atoi(v.tag.Get("min"))
	high, _ := strconv.Atoi(v.tag.Get("max"))
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return "", Invalid("%s is not a whole number from %d to %d", Quote(text), low, high)
	}
	return itoa(n), nil
}

func (v Variable) checkList(text string) (string, error) {
	items := strings.Split(text, ",")
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		item = strings.TrimSpace(item)
		if item == "" {
			return "", Invalid("%s has an empty item: separate items by one comma", Quote(text))
		}
		item, err := v.checkItem(item)
		if err != nil {
			return "", err
		}
		if seen[item] {
			return "", Invalid("%s is listed twice", Quote(item))
		}
		seen[item] = true
		items[i] = item
	}
	return strings.Join(items, ","), nil
}

func (v Variable) checkItem(text string) (string, error) {
	switch {
	case v.oneof != nil:
		return OneOf(text, v.oneof)
	case v.format != nil:
		return v.format.accept(text)
	case v.field.Type() == reflect.TypeFor[Switch]():
		return text, new(Switch).EnvDecode(text)
	default:
		return text, nil
	}
}

// OneOf returns the word that the text is, or an [Invalid] error. It ignores case:
// LOG_LEVEL=INFO is common.
func OneOf(text string, words []string) (string, error) {
	lower := strings.ToLower(text)
	for _, word := range words {
		if lower == word {
			return word, nil
		}
	}
	return "", Invalid("%s is none of %s", Quote(text), strings.Join(words, ", "))
}
