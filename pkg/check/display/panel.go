package display

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/reims/reims-health/pkg/check"
)

// below is what stands below the table, in so many lines.
func (m *model) below(room int) []string {
	switch {
	case m.panel == panelHelp:
		return cut(m.help(), room)
	case m.panel == panelDetail && len(m.watch.Services) > 0:
		return cut(m.detail(&m.watch.Services[m.detailed()]), room)
	default:
		return m.news(room)
	}
}

// cut keeps so many lines, and says so where there are more.
func cut(lines []string, room int) []string {
	if len(lines) <= room {
		return lines
	}
	lines = lines[:max(0, room)]
	if len(lines) > 0 {
		lines[len(lines)-1] = faint().Render("… a higher window shows more")
	}
	return lines
}

func (m *model) help() []string {
	lines := []string{faint().Render("KEYS")}
	for _, k := range [][2]string{
		{"d, Enter", "details of one service, with its next step; again: the changes"},
		{"up, down", "the service above or below"},
		{"p, Space", "pause: take no looks, and keep what is shown; again: go on"},
		{"?, h", "these keys"},
		{"q, Ctrl-C", "quit; Esc closes what is open first"},
	} {
		lines = append(lines, fit(cell(k[0], m.nameWidth())+k[1], m.width))
	}
	return lines
}

// detail is all that is known of a service.
func (m *model) detail(s *check.LookService) []string {
	lines := []string{fit("DETAIL of "+s.Name, m.width)}
	lines[0] = faint().Render(lines[0])
	for _, f := range slices.Concat([]check.Fact{
		{Label: "Reason", Value: s.Reason},
		{Label: "Message", Value: s.Message},
		{Label: "Next step", Value: s.NextStep},
		{Label: "Readiness", Value: words(string(s.Readiness))},
	}, s.Facts) {
		if f.Value != "" {
			lines = append(lines, m.fact(f)...)
		}
	}
	if s.Docs != "" { // at the left, so that it seldom has to be cut
		address := strings.Split(ansi.Hardwrap(check.Printable(s.Docs), max(1, m.width), false), "\n")
		lines = slices.Insert(lines, 1, address...)
	}
	return lines
}

// fact is a label and its value, which takes as many lines as it needs.
func (m *model) fact(f check.Fact) []string {
	const labelWidth, least = 24, 20
	label := min(labelWidth, max(0, m.width-least))
	var lines []string
	text := ansi.Wrap(check.Printable(f.Value), max(1, m.width-label), "")
	for i, part := range strings.Split(text, "\n") {
		left := strings.Repeat(" ", label)
		if i == 0 {
			left = cell(f.Label, label)
		}
		lines = append(lines, fit(left+part, m.width))
	}
	return lines
}
