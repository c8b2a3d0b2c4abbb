package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Verdict is what one check comes to.
type Verdict string

// The verdicts, from good to bad.
const (
	Pass Verdict = "pass"
	// Degraded is an answer in order that tells of a service that is not quite well. It
	// passes.
	Degraded Verdict = "degraded"
	Fail     Verdict = "fail"
)

// Check is one endpoint, asked and judged.
type Check struct {
	Path    string  `json:"path"`
	Verdict Verdict `json:"verdict"`
	// Code is the answer's HTTP code; 0 where none came.
	Code int `json:"code,omitempty"`
	// TimeMS is how long the answer took, in milliseconds.
	TimeMS float64 `json:"time_ms"`
	// Note is what the answer says, in short.
	Note string `json:"note,omitempty"`
	// NextStep says what to do about the reason in the note, and Docs is the address of what
	// explains it; each is empty where there is no reason.
	NextStep string `json:"next_step,omitempty"`
	Docs     string `json:"docs,omitempty"`
	// Problems are what is wrong with it.
	Problems []string `json:"problems,omitempty"`
}

// Report is a whole run.
type Report struct {
	URL     string  `json:"url"`
	Success bool    `json:"success"`
	Checks  []Check `json:"checks"`
	// Counts of the checks by verdict.
	Passed   int `json:"passed"`
	Degraded int `json:"degraded"`
	Failed   int `json:"failed"`
	// TimeMS is how long the run took, in milliseconds.
	TimeMS float64 `json:"time_ms"`
}

func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	switch c.Verdict {
	case Pass:
		r.Passed++
	case Degraded:
		r.Degraded++
	case Fail:
		r.Failed++
	}
	r.Success = r.Failed == 0
}

// finding is what a judge makes of one answer.
type finding struct {
	note     string
	next     string // the next step, and the address of what explains the reason
	docs     string
	degraded bool
	down     bool // a 503: the answer is in order, and what it says is not
	problems []string
	// conflict says that the answer disagrees with an earlier one. Things may have
	// changed in between, so it is worth another look before it is a problem.
	conflict string
}

// wrong reports a problem. What the answer says is cut to what can be read, and cannot
// steer a terminal.
func (f *finding) wrong(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = Shorten(Printable(arg))
		case error:
			args[i] = Shorten(Printable(arg.Error()))
		case json.RawMessage:
			args[i] = Shorten(Printable(string(arg)))
		}
	}
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// want reports a problem unless ok.
func (f *finding) want(ok bool, format string, args ...any) {
	if !ok {
		f.wrong(format, args...)
	}
}

func (f *finding) verdict() Verdict {
	switch {
	case f.down || len(f.problems) > 0:
		return Fail
	case f.degraded:
		return Degraded
	default:
		return Pass
	}
}

func (f *finding) check(a *Answer) Check {
	return Check{Path: a.Path, Verdict: f.verdict(), Code: a.Code, TimeMS: millis(a.Took), Note: Printable(f.note), NextStep: f.next, Docs: f.docs, Problems: f.problems}
}

// Bounds on an answer, each far above any of a sidecar's, so that a strange one costs
// little time and memory.
const (
	maxBody  = 4 << 20 // bytes
	maxDepth = 8       // objects and lists in each other
	maxKeys  = 1000    // keys of one object
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
