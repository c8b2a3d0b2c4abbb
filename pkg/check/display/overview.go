package display

import (
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/reims/reims-health/pkg/check"
)

// pageWidth is what lines are wrapped at where there is no terminal.
const pageWidth = 80

// paged returns a printer that wraps its lines where there is no terminal, too.
func (p *Printer) paged() *Printer {
	wrapped := *p
	if wrapped.width == 0 {
		wrapped.width = pageWidth
	}
	return &wrapped
}

// Overview writes a table of the services, what to do about each that is not healthy, and the
// verdict.
func (p *Printer) Overview(o *check.Overview) {
	q := p.paged()
	q.services(o.Services, o.At)
	var links []string
	for _, s := range o.Services {
		links = append(links, s.Docs)
	}
	for _, problem := range o.Problems {
		q.line()
		q.beside("", red().Render(problem))
	}
	q.addresses(links)
	q.line()
	word := verdictText(check.Pass)
	if !o.Success {
		word = verdictText(check.Fail)
	}
	text := o.Verdict
	if o.URL != "" {
		text += " (" + o.URL + ")"
	}
	q.beside(strings.TrimRight(word, " ")+"  ", text)
	p.err = q.err
}

// column is one of the table's; the style of a cell is that of what it says. A number stands
// at the right.
type column struct {
	head   string
	least  int // columns of the terminal
	number bool
	of     func(s *check.LookService, now time.Time) string
	style  func(text string) lipgloss.Style
}

func columns() []column {
	unstyled := func(string) lipgloss.Style { return lipgloss.NewStyle() }
	return []column{
		{head: "SERVICE", of: func(s *check.LookService, _ time.Time) string { return s.Name }, style: func(string) lipgloss.Style { return bold() }},
		{head: "STATUS", least: 9, of: func(s *check.LookService, _ time.Time) string { return s.Status }, style: statusStyle},
		{head: "READINESS", of: func(s *check.LookService, _ time.Time) string { return words(string(s.Readiness)) }, style: readinessStyle},
		{head: "SINCE", least: 10, of: func(s *check.LookService, now time.Time) string { return sinceText(s.Since, now) }, style: unstyled},
		{head: "LATENCY", least: 8, number: true, of: func(s *check.LookService, _ time.Time) string { return latency(*s) }, style: unstyled},
		{head: "REASON", of: func(s *check.LookService, _ time.Time) string { return s.Reason }, style: unstyled},
	}
}

func readinessStyle(text string) lipgloss.Style {
	switch text {
	case "not ready":
		return red()
	case string(check.Held), string(check.InGrace):
		return yellow()
	default:
		return faint()
	}
}

func sinceText(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return check.Span(now.Sub(since)) + " ago"
}

// services writes a row per service, and below it what is known of its reason. Where the table
// would be wider than the page, columns are left out from the right; the reason is told below
// then.
func (p *Printer) services(services []check.LookService, now time.Time) {
	const gap = "  "
	all := columns()
	rows := [][]string{nil}
	for _, c := range all {
		rows[0] = append(rows[0], c.head)
	}
	for i := range services {
		var row []string
		for _, c := range all {
			row = append(row, orDash(check.Printable(c.of(&services[i], now))))
		}
		rows = append(rows, row)
	}
	widths, total := make([]int, len(all)), -len(gap)
	for i, c := range all {
		widths[i] = c.least
		for _, row := range rows {
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
		total += widths[i] + len(gap)
	}
	const least = 3 // the service, its status and its readiness
	shown := len(all)
	for shown > least && total > p.width {
		shown--
		total -= widths[shown] + len(gap)
	}
	for n, row := range rows {
		var b strings.Builder
		for i, text := range row[:shown] {
			style := all[i].style(text)
			if n == 0 {
				style = faint()
			}
			room := strings.Repeat(" ", widths[i]-lipgloss.Width(text))
			if all[i].number {
				b.WriteString(room + style.Render(text) + gap)
			} else {
				b.WriteString(style.Render(text) + room + gap)
			}
		}
		p.line(b.String())
		if n > 0 {
			p.why(&services[n-1], shown == len(all))
		}
	}
}

// why writes what is known of a service that is not healthy. Told says that the reason stands
// in the table.
func (p *Printer) why(s *check.LookService, told bool) {
	const indent = "  "
	text := s.Message
	if !told {
		text = because(s.Reason, s.Message)
	}
	if text != "" {
		p.beside(indent, text)
	}
	for _, problem := range s.Problems {
		p.beside(indent, red().Render(problem))
	}
	if s.Error != "" {
		p.beside(indent+"error: ", errorText(s.Error))
	}
	if s.Fault != "" {
		p.beside(indent+"fault: ", s.Fault)
	}
	if s.NextStep != "" {
		p.beside(indent+"next: ", s.NextStep)
	}
}

// addresses writes where the reasons are explained, each address once and whole: one that is cut
// cannot be followed. Those that are empty are left out.
func (p *Printer) addresses(all []string) {
	var written []string
	for _, address := range all {
		if address == "" || slices.Contains(written, address) {
			continue
		}
		if written == nil {
			p.line()
		}
		p.line(check.Printable(address))
		written = append(written, address)
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
