package display

import (
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// Printer writes to one output. On a terminal it uses colours, unless NO_COLOR is set,
// and minds the width; anywhere else it writes plain text, a line a thing.
type Printer struct {
	w io.Writer
	// width is the terminal's, in columns; 0 is unlimited.
	width int
	err   error
}

// NewPrinter returns a printer for w. The environment, as NAME=value, says what the
// terminal can do.
func NewPrinter(w io.Writer, environ []string) *Printer {
	p := &Printer{w: colorprofile.NewWriter(w, Environ(environ))}
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
// dumb one.
func CanRedraw(w io.Writer, environ []string) bool {
	return IsTerminal(w) && colorprofile.Detect(w, Environ(environ)) != colorprofile.NoTTY
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
// terminal's width.
func (p *Printer) beside(left string, paragraphs ...string) {
	const least = 20
	lines := strings.Split(strings.Join(paragraphs, "\n"), "\n")
	for i := range lines {
		lines[i] = steady(lines[i])
	}
	text := strings.Join(lines, "\n")
	room := p.width - lipgloss.Width(left)
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

func ms(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 1000:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return fmt.Sprintf("%.2f s", v/1000)
	}
}

// bound is an end of a bucket: 0.5 ms, 20 ms, 5 s.
func bound(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%g s", v/1000)
	}
	return fmt.Sprintf("%g ms", v)
}
