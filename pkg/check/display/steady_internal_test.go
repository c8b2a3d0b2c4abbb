package display

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/colorprofile"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/check"
)

const hostile = "a\x1b]0;title\x07b\x1b[2Jc\x1b[35md\u202ee\u009bAf\x1b[8m\r"

// calm fails for whatever could steer a terminal, but for the sequences of our styles.
func calm(t interface{ Errorf(string, ...any) }, text string) {
	bare := regexp.MustCompile(`\x1b\[(1|2|7|3[123])?(;(1|2|7|3[123]))*m`).ReplaceAllString(text, "")
	for _, r := range bare {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("%q can steer a terminal", text)
			return
		}
	}
}

func TestSteady(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		hostile:                         "a?]0;title?b?[2Jc?[35md?e?Af?[8m?",
		red().Render("FAIL") + " a\x1b": red().Render("FAIL") + " a?",
		"\x1b":                          "?", "\x1b[": "?[", "\x1b[1": "?[1", "\x1b[1;5mx": "?[1;5mx",
	} {
		if got := steady(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) { calm(t, steady(rapid.String().Draw(t, "text"))) })
}

// Whatever an answer holds, nothing that is printed of it steers a terminal.
func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	value, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	nested := json.RawMessage(`{"a\u202e":["\u202e",` + string(value) + `]}`)
	object := check.Object{{Key: hostile, Value: value}, {Key: "nested", Value: nested}, {Key: "raw", Value: json.RawMessage(hostile)}}
	var b strings.Builder
	p := &Printer{w: &colorprofile.Writer{Forward: &b, Profile: colorprofile.ANSI}, width: 60}
	judged := check.Check{Path: hostile, Verdict: check.Fail, Note: hostile, Problems: []string{hostile}, NextStep: hostile, Docs: hostile}
	p.Check(judged, 10)
	p.Summary(&check.Report{URL: hostile, Checks: []check.Check{judged}})
	s := check.ServiceDetails{Name: hostile, Status: hostile, Details: object, Problems: []string{hostile}, Error: hostile, Failed: 1, Facts: []check.Fact{{Label: hostile, Value: hostile}}}
	p.Details(&check.Details{URL: hostile, Status: hostile, Services: []check.ServiceDetails{s}})
	service := check.LookService{
		Name: hostile, Status: hostile, Reason: hostile, Message: hostile, NextStep: hostile, Docs: hostile, Readiness: hostile, Fault: hostile,
		Problems: []string{hostile}, Error: hostile, Facts: []check.Fact{{Label: hostile, Value: hostile}},
	}
	l := &check.Look{At: time.Unix(1, 0), Status: hostile, Ready: hostile, Problems: []string{hostile}, Services: []check.LookService{service}}
	p.State(l)
	p.Past(&check.Past{Changes: []check.Change{{What: hostile, From: hostile, To: hostile, Reason: hostile}}})
	var w check.Watch
	p.Changes(l, w.See(l))
	p.Overview(&check.Overview{URL: hostile, Verdict: hostile, Look: l})
	p.Watched(&w, hostile, time.Second)
	calm(t, b.String())

	m := &model{url: hostile, width: 100, height: 50}
	m.see(l)
	m.see(&check.Look{Status: "healthy"})
	calm(t, strings.Join(m.lines(), "\n"))
	m.see(l)
	calm(t, strings.Join(m.lines(), "\n"))
	m.panel = panelDetail
	calm(t, strings.Join(m.lines(), "\n"))
	m.begin(&check.Past{Changes: []check.Change{{What: hostile, From: hostile, To: hostile, Reason: hostile}}})
	m.panel = panelChanges
	calm(t, strings.Join(m.lines(), "\n"))
	calm(t, m.View().WindowTitle)
	if !strings.Contains(b.String(), "\x1b[1;31m") {
		t.Error("our own styles are gone")
	}
}
