package docs_test

import (
	"fmt"
	"strings"
	"testing"
)

// word is a word of a command. Glob says that a shell would expand an unquoted ?, *
// or [ in it, or takes it apart at &.
type word struct {
	text string
	glob bool
}

// command is a simple command: assignments, the program and its arguments. Background
// says that it ends with &.
type command struct {
	words      []word
	background bool
}

// parseShell reads a script as far as documented commands need: quotes, comments,
// operators, redirections, lines that go on, and for loops.
func parseShell(script string) ([]command, error) {
	var (
		all     []command
		now     command
		w       word
		inWord  bool
		endWord = func() {
			if inWord {
				now.words = append(now.words, w)
			}
			w, inWord = word{}, false
		}
		endCommand = func(background bool) {
			endWord()
			now.background = background
			if now.words = withoutShellWords(now.words); len(now.words) > 0 {
				all = append(all, now)
			}
			now = command{}
		}
	)
	for i := 0; i < len(script); i++ {
		c := script[i]
		switch {
		case c == '\\' && i+1 < len(script):
			i++
			if script[i] != '\n' {
				w.text, inWord = w.text+string(script[i]), true
			}
		case c == '\'' || c == '"':
			end := strings.IndexByte(script[i+1:], c)
			if end < 0 {
				return nil, fmt.Errorf("a quote %c is not closed in %q", c, script)
			}
			w.text, inWord = w.text+script[i+1:i+1+end], true
			i += end + 1
		case c == '#' && !inWord:
			for i+1 < len(script) && script[i+1] != '\n' {
				i++
			}
		case c == ' ' || c == '\t':
			endWord()
		case c == '&' && i+1 < len(script) && script[i+1] == '&':
			i++
			endCommand(false)
		case c == '&' && inWord && i+1 < len(script) && script[i+1] != '\n' && script[i+1] != ' ':
			w.glob, w.text = true, w.text+"&"
		case c == '&':
			endCommand(true)
		case c == '|' || c == ';' || c == '\n' || c == '(' || c == ')':
			if c == '(' && strings.HasSuffix(w.text, "$") { // a command in the place of a word
				w = word{}
				continue
			}
			endCommand(false)
		case c == '>' || c == '<':
			endWord()
			now.words = append(now.words, word{text: string(c)})
		default:
			w.glob = w.glob || strings.IndexByte("?[*", c) >= 0
			w.text, inWord = w.text+string(c), true
		}
	}
	endCommand(false)
	return all, nil
}

// withoutShellWords drops keywords, loops' heads and redirections.
func withoutShellWords(words []word) []word {
	var kept []word
	for i := 0; i < len(words); i++ {
		switch text := words[i].text; {
		case text == "<" || text == ">":
			i++
		case len(kept) == 0 && text == "for":
			return nil
		case len(kept) == 0 && (text == "do" || text == "done" || text == "if" || text == "then" || text == "fi"):
		default:
			kept = append(kept, words[i])
		}
	}
	return kept
}

func TestParseShell(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"a b # c":                            "a b",
		"a 'b c' \"d\"":                      "a|b c|d",
		"a | b && c; d &\ne":                 "a\nb\nc\nd&\ne",
		"a \\\n  b":                          "a|b",
		"curl x?y":                           "curl|x?y*",
		"curl 'x?y&z'":                       "curl|x?y&z",
		"curl x&y=z":                         "curl|x&y=z*",
		"for f in a b; do x \"$f\"; done":    "x|$f",
		"done | kubectl apply -f -":          "kubectl|apply|-f|-",
		"n=$(basename \"$f\" .y | tr A-Z a)": "basename|$f|.y\ntr|A-Z|a",
		"a > b":                              "a",
	} {
		commands, err := parseShell(script)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range commands {
			var words []string
			for _, w := range c.words {
				if w.glob {
					w.text += "*"
				}
				words = append(words, w.text)
			}
			line := strings.Join(words, "|")
			if c.background {
				line += "&"
			}
			lines = append(lines, line)
		}
		if got := strings.Join(lines, "\n"); got != want && got != strings.ReplaceAll(want, " ", "|") {
			t.Errorf("%q: got %q, want %q", script, got, want)
		}
	}
	if _, err := parseShell("a 'b"); err == nil {
		t.Error("an open quote is no error")
	}
}
