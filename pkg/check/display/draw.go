package display

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/reims/reims-health/pkg/check"
)

// highlight is for how long a change stands out.
const highlight = 15 * time.Second

// Widths of the table's columns. The trend and the reason share the rest.
const (
	nameWidth    = 11
	statusWidth  = 12
	sinceWidth   = 9
	latencyWidth = 11
)

// leastWidth is that of the columns which do not share.
const leastWidth = nameWidth + statusWidth + sinceWidth + latencyWidth + 1

// draw is the whole screen, cut to its size.
func (m *model) draw() string {
	return lipgloss.NewStyle().MaxWidth(m.width).Render(strings.Join(m.lines(), "\n"))
}

// lines are the screen's, as wide as it is, or as the columns need.
func (m *model) lines() []string {
	lines := m.head()
	if m.watch.Latest != nil {
		lines = append(lines, m.table()...)
	}
	foot := []string{"", faint().Render(fit(m.foot(), m.width))}
	lines = append(lines, m.news(m.height-len(lines)-len(foot))...)
	lines = lines[:min(len(lines), max(0, m.height-len(foot)))]
	lines = append(lines, foot...)
	for i := range lines {
		lines[i] = steady(lines[i])
	}
	return lines
}

func (m *model) head() []string {
	clock := m.now.Format(time.TimeOnly)
	title := fit("reims-health  "+m.url, m.width-len(clock)-2)
	lines := []string{bold().Render(title) + strings.Repeat(" ", max(1, m.width-lipgloss.Width(title)-len(clock))) + clock}
	l := m.watch.Latest
	if l == nil {
		return append(lines, faint().Render("asking ..."), "")
	}
	state := badge(fit(l.Status, statusWidth))
	if l.Ready != "" {
		state += "  " + statusStyle(l.Ready).Render(words(l.Ready))
	}
	if l.Status != check.NoAnswer {
		state += faint().Render("  answered in " + ms(l.TimeMS))
	}
	lines = append(lines, state)
	for _, problem := range l.Problems {
		for part := range strings.SplitSeq(problem, "\n") {
			lines = append(lines, red().Render(fit(strings.TrimSpace(part), m.width)))
		}
	}
	return append(lines, "")
}

func badge(status string) string { return statusStyle(status).Reverse(true).Render(" " + status + " ") }

// trendWidth is what the trend gets of what the other columns leave: the smaller part,
// and the reason the greater. On a narrow terminal the reason gets all.
func (m *model) trendWidth() int {
	const least, most = 8, 40
	rest := m.width - nameWidth - statusWidth - sinceWidth - latencyWidth
	if trend := rest * 2 / 5; trend >= least {
		return min(trend, most)
	}
	return 0
}

func (m *model) table() []string {
	trend := m.trendWidth()
	why := max(0, m.width-nameWidth-statusWidth-sinceWidth-latencyWidth-trend-1)
	head := cell("SERVICE", nameWidth) + cell("STATUS", statusWidth) + cell("FOR", sinceWidth) + cell("LATENCY", latencyWidth) +
		cell("TREND", trend+1) + cell("REASON", why)
	lines := []string{faint().Render(fit(head, m.width))}
	for _, s := range m.watch.Services {
		lines = append(lines, m.row(s, trend, why))
	}
	return append(lines, "")
}

func (m *model) row(s check.LookService, trend, why int) string {
	name, status := cell(s.Name, nameWidth), cell(s.Status, statusWidth)
	facts := cell(m.since(s), sinceWidth) + cell(latency(s), latencyWidth)
	line := cell(strings.TrimLeft(spark(m.watch.Trend(s.Name), trend), " "), trend+1)
	if m.watch.Latest.Status == check.NoAnswer { // as it was last seen, which is not as it is
		return faint().Render(name + cell("("+s.Status+")", statusWidth) + cell("-", sinceWidth) + cell("-", latencyWidth) + line)
	}
	style := statusStyle(s.Status)
	if m.changed(s.Name) {
		style = style.Reverse(true)
	}
	word := strings.TrimRight(status, " ")
	reason := strings.Join(check.NonEmpty(s.Reason, s.Message), ": ")
	return bold().Render(name) + style.Render(word) + status[len(word):] + facts + faint().Render(line) + fit(reason, why)
}

func latency(s check.LookService) string {
	if s.LatencyMS == 0 {
		return "-"
	}
	return ms(s.LatencyMS)
}

// since is how long the status has held.
func (m *model) since(s check.LookService) string {
	if s.Since.IsZero() {
		return "-"
	}
	return age(m.now.Sub(s.Since))
}

func (m *model) changed(service string) bool {
	for _, c := range m.changes {
		if c.What == service && (m.now.Sub(c.At) < highlight || c.At.Equal(m.watch.Latest.At)) {
			return true
		}
	}
	return false
}

// news are the latest changes, the newest first, in so many lines.
func (m *model) news(room int) []string {
	const least = 2
	if len(m.changes) == 0 || room < least {
		return nil
	}
	lines := []string{faint().Render("CHANGES")}
	for i := len(m.changes) - 1; i >= 0 && len(lines) < room; i-- {
		c := m.changes[i]
		line := fit(c.At.Format(time.TimeOnly)+"  "+cell(c.What, nameWidth)+strings.ReplaceAll(transition(c), "\n  ", ": "), m.width)
		if m.now.Sub(c.At) < highlight {
			line = bold().Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

func (m *model) foot() string {
	parts := []string{"q quits"}
	l := m.watch.Latest
	if l != nil {
		parts = append(parts, fmt.Sprintf("look %d, %d failed", m.watch.Rounds, m.watch.Failed))
	}
	if asking := m.now.Sub(m.asked).Round(time.Second); !m.asked.IsZero() && asking > 0 {
		parts = append(parts, fmt.Sprintf("asking for %s", asking))
	} else if l != nil {
		next := max(0, l.At.Add(m.interval).Sub(m.now)).Round(time.Second)
		parts = append(parts, fmt.Sprintf("every %s, next in %s", m.interval, next))
	}
	return strings.Join(parts, "; ")
}

// cell is a text that fills so many columns.
func cell(text string, width int) string {
	text = fit(text, max(0, width-1))
	return text + strings.Repeat(" ", max(0, width-lipgloss.Width(text)))
}

// fit cuts a plain text to so many columns.
func fit(text string, width int) string {
	return ansi.Truncate(check.Printable(text), max(0, width), "…")
}

// age is a duration in its two greatest units.
func age(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}
