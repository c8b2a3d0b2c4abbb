package display

import (
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/check"
)

// steady is a line as it may go to a terminal: with the sequences of our own styles, and
// ? in the place of any other control character, whoever sent it.
func steady(line string) string {
	var b strings.Builder
	for line != "" {
		if n := ownStyle(line); n > 0 {
			b.WriteString(line[:n])
			line = line[n:]
			continue
		}
		end := len(line)
		if next := strings.IndexByte(line[1:], '\x1b'); next >= 0 {
			end = next + 1
		}
		b.WriteString(check.Printable(line[:end]))
		line = line[end:]
	}
	return b.String()
}

// ownStyle is the length of the sequence of a style of ours that a text begins with, or
// 0.
func ownStyle(text string) int {
	parameters, ok := strings.CutPrefix(text, "\x1b[")
	end := strings.IndexByte(parameters, 'm')
	if !ok || end < 0 {
		return 0
	}
	for parameter := range strings.SplitSeq(parameters[:end], ";") {
		// Reset, bold, faint, reversed; red, green, yellow.
		if !slices.Contains([]string{"", "0", "1", "2", "7", "31", "32", "33"}, parameter) {
			return 0
		}
	}
	return len("\x1b[") + end + 1
}
