package check

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on an answer, each far above any of a sidecar's, so that a strange one costs
// little time and memory.
const (
	maxBody  = 4 << 20 // bytes
	maxDepth = 8       // objects and lists in each other
	maxKeys  = 1000    // keys of one object, and values of one answer that is compared
	maxText  = 200     // characters of a key, and of a value that is shown
)

var errTooLarge = errors.New("the answer is above 4 MiB")

// shallow is an error for JSON that is nested beyond bounds. Nothing is decoded for it.
func shallow(body []byte) error {
	if body = bytes.TrimSpace(body); !bytes.HasPrefix(body, []byte("{")) && !bytes.HasPrefix(body, []byte("[")) {
		return nil
	}
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch b := body[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the answer is nested beyond %d levels", maxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}

// Printable is a text that came from outside with ? in the place of each character that
// could steer a terminal: control characters, and those that change the direction of
// what is read.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

// Shorten cuts a text at 200 characters.
func Shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText]) + "…"
}
