package display

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"github.com/reims/reims-health/pkg/check"
)

// Printer writes to one output. On a terminal it uses colours, unless NO_COLOR is set,
// and minds the width; anywhere else it writes plain text.
type Printer struct {
	w io.Writer
	// width is the terminal's, in columns; 0 is unlimited.
	width int
	err   error
}

// NewPrinter returns a printer for w. The environment, as NAME=value, says what the
// terminal can do.
func NewPrinter(w io.Writer, environ []string) *Printer {
	styled := colorprofile.NewWriter(w, Environ(environ))
	if noColour(environ) { // the library's own answer would keep bold and faint
		styled.Profile = colorprofile.NoTTY
	}
	p := &Printer{w: styled}
	if IsTerminal(w) {
		p.width, _, _ = term.GetSize(int(w.(*os.File).Fd())) //nolint:forcetypeassert // it is one
	}
	return p
}

// IsTerminal reports whether a reader or a writer is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// CanRedraw reports whether a [Screen] can be shown there: on a terminal that is not a
// dumb one, and whose owner has not asked for plain text with NO_COLOR. A screen is made of
// escape sequences.
func CanRedraw(w io.Writer, environ []string) bool {
	return IsTerminal(w) && !noColour(environ) && colorprofile.Detect(w, Environ(environ)) != colorprofile.NoTTY
}

// Environ is the environment as the terminal libraries should read it: to them only
// NO_COLOR=1 or true means no colours, and by no-color.org any text does.
func Environ(environ []string) []string {
	var all []string
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, "NO_COLOR="); ok && value != "" {
			pair = "NO_COLOR=1"
		}
		all = append(all, pair)
	}
	return all
}

// noColour reports whether NO_COLOR is set, to any text: then no escape sequence is written.
func noColour(environ []string) bool {
	return slices.Contains(Environ(environ), "NO_COLOR=1")
}

// Err is the first error of writing.
func (p *Printer) Err() error { return p.err }

func (p *Printer) line(parts ...string) {
	p.write(strings.TrimRight(steady(strings.Join(parts, "")), " ") + "\n")
}

func (p *Printer) write(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text)
	}
}

// beside writes a text beside what stands left of it, wrapped to what is left of the
// terminal's width, or below where hardly anything is left.
func (p *Printer) beside(left string, paragraphs ...string) {
	const least, indent = 20, "    "
	lines := strings.Split(strings.Join(paragraphs, "\n"), "\n")
	for i := range lines {
		lines[i] = steady(lines[i])
	}
	text := strings.Join(lines, "\n")
	room := p.width - lipgloss.Width(left)
	if p.width > 0 && room < least && lipgloss.Width(text) > room {
		p.line(left)
		left, room = indent, p.width-len(indent)
	}
	if p.width > 0 && room >= least {
		text = lipgloss.NewStyle().Width(room).Render(text)
	}
	for i, part := range strings.Split(text, "\n") {
		if i > 0 {
			left = strings.Repeat(" ", lipgloss.Width(left))
		}
		p.line(left, part)
	}
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func ms(v float64) string { return check.Milliseconds(v) }

// bound is an end of a bucket: 0.5 ms, 20 ms, 5 s.
func bound(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%g s", v/1000)
	}
	return fmt.Sprintf("%g ms", v)
}

// Check writes the line of one check, and what is wrong with its answer below. Longest
// is the length of the longest path that there will be.
func (p *Printer) Check(c check.Check, longest int) {
	code := "-"
	if c.Code != 0 {
		code = strconv.Itoa(c.Code)
	}
	left := fmt.Sprintf("%sGET %-*s  %3s  %9s  ", verdictText(c.Verdict), longest, c.Path, code, ms(c.TimeMS))
	notes := check.NonEmpty(check.Shorten(c.Note))
	for _, problem := range c.Problems {
		notes = append(notes, red().Render(problem))
	}
	if c.NextStep != "" {
		notes = append(notes, "next: "+c.NextStep)
	}
	p.beside(left, notes...)
}

// Summary writes the last line of a run.
func (p *Printer) Summary(r *check.Report) {
	parts := []string{fmt.Sprintf("%d passed", r.Passed)}
	if r.Degraded > 0 {
		parts = append(parts, yellow().Render(fmt.Sprintf("%d passed degraded", r.Degraded)))
	}
	failed := fmt.Sprintf("%d failed", r.Failed)
	if r.Failed > 0 {
		failed = red().Render(failed)
	}
	var links []string
	for _, c := range r.Checks {
		links = append(links, c.Docs)
	}
	p.addresses(links)
	p.line()
	p.line(fmt.Sprintf("%d checks of %s in %s: ", len(r.Checks), r.URL, ms(r.TimeMS)), strings.Join(append(parts, failed), ", "))
}

// State writes one line with all that a look saw, and one per service that is not healthy.
func (p *Printer) State(l *check.Look) {
	services := make([]string, len(l.Services))
	for i, s := range l.Services {
		services[i] = s.Name + " " + because(s.Status, s.Reason, s.Scope)
	}
	text := strings.Join(check.NonEmpty(l.Status, words(l.Ready)), ", ")
	if len(services) > 0 {
		text += ": " + strings.Join(services, ", ")
	}
	p.stamped(l.At, text)
	for _, s := range l.Services {
		if next := nextStep(&s); next != "" {
			p.stamped(l.At, s.Name+": "+because(s.Status, s.Reason, s.Message, s.Scope)+next)
		}
	}
	for _, problem := range l.Problems {
		p.stamped(l.At, problem)
	}
}

// nextStep is the end of a line on a service that is not healthy: what to do, and where that is
// explained.
func nextStep(s *check.LookService) string {
	text := ""
	if s.NextStep != "" {
		text = "; next: " + s.NextStep
	}
	if s.Docs != "" {
		text += " " + s.Docs
	}
	return text
}

// Changes writes one line per change that a look saw, with what to do about a reason.
func (p *Printer) Changes(l *check.Look, changes []check.Change) {
	for _, c := range changes {
		next := ""
		for _, s := range l.Services {
			if s.Name == c.What {
				next = nextStep(&s)
			}
		}
		p.stamped(c.At, c.What+": "+transition(c)+next)
	}
}

// Past writes one line per change of the last hour. P may be nil.
func (p *Printer) Past(past *check.Past) {
	if past == nil {
		return
	}
	for _, c := range past.Changes {
		p.stamped(c.At, c.What+": "+transition(c))
	}
}

// Watched sums up what a monitor has seen, in a line.
func (p *Printer) Watched(w *check.Watch, url string, took time.Duration) {
	if w.Latest == nil {
		return
	}
	p.line(fmt.Sprintf("%s at %s in %s, %d failed; at last %s", plural(w.Rounds, "look"), url, took.Round(time.Second), w.Failed,
		strings.Join(check.NonEmpty(w.Latest.Status, words(w.Latest.Ready)), ", ")))
}

func (p *Printer) stamped(at time.Time, text string) {
	p.line(at.UTC().Format(time.RFC3339), "  ", strings.ReplaceAll(text, "\n  ", ": "))
}

func transition(c check.Change) string {
	to := because(words(c.To), c.Reason, c.Message, c.Scope)
	if c.From == "" {
		return to
	}
	return words(c.From) + " -> " + to
}

func because(parts ...string) string {
	return strings.Join(check.NonEmpty(parts...), ": ")
}

// words is a status as a person says it.
func words(status string) string { return strings.ReplaceAll(status, "_", " ") }
