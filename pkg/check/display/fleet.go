package display

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/reims/reims-health/pkg/check"
)

// Fleet writes a table of the services of all workloads, which Pods a fault is of, and the verdict.
func (p *Printer) Fleet(f *check.Fleet) {
	q := p.paged()
	rows := [][]string{{"WORKLOAD", "PODS", "SERVICE", "STATUS", "FAILING", "EXTENT", "FOR", "REASON"}}
	below := map[int]string{}
	for i := range f.Workloads {
		w := &f.Workloads[i]
		first := []string{w.Namespace + "/" + w.Name, fmt.Sprintf("%d/%d", w.Counts.Answering, w.Counts.Known)}
		if len(w.Services) == 0 {
			rows = append(rows, append(first, "", w.Status, "", "", "", failures(w)))
		}
		for n := range w.Services {
			s := &w.Services[n]
			var reasons []string
			for _, r := range s.Reasons {
				reasons = append(reasons, r.Reason)
			}
			rows = append(rows, append(slices.Clone(first), s.Name, s.Status, fmt.Sprintf("%d/%d", s.Failing(), s.Telling()),
				strings.Replace(s.Extent, "none", "", 1), check.Span(time.Duration(s.ForMS)*time.Millisecond), strings.Join(reasons, ", ")))
			if len(s.Names) > 0 {
				below[len(rows)-1] = check.Printable(s.Where)
			}
		}
	}
	q.rows(rows, below)
	q.line()
	word := verdictText(check.Pass)
	if !f.Success {
		word = verdictText(check.Fail)
	}
	q.beside(strings.TrimRight(word, " ")+"  ", check.Printable(f.Verdict)+" ("+f.URL+")")
	p.err = q.err
}

// failures says why Pods do not answer.
func failures(w *check.FleetWorkload) string {
	var all []string
	for why, n := range w.Failures {
		all = append(all, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// rows writes a table whose first row is its head, with a text below some rows. The fourth
// column is a status.
func (p *Printer) rows(rows [][]string, below map[int]string) {
	const gap, statusColumn = "  ", 3
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = orDash(check.Printable(row[i]))
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, text := range row {
			style := lipgloss.NewStyle()
			switch {
			case n == 0:
				style = faint()
			case i == statusColumn:
				style = statusStyle(text)
			}
			b.WriteString(style.Render(text) + strings.Repeat(" ", widths[i]-lipgloss.Width(text)) + gap)
		}
		p.line(b.String())
		if below[n] != "" {
			p.beside("  ", below[n])
		}
	}
}
