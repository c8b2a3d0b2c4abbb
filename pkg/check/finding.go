package check

import (
	"encoding/json"
	"fmt"
)

// finding is what a judge makes of one answer.
type finding struct {
	note     string
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
	return Check{Path: a.Path, Verdict: f.verdict(), Code: a.Code, TimeMS: millis(a.Took), Note: Printable(f.note), Problems: f.problems}
}
