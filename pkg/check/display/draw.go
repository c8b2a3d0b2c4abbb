package display

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/reims/reims-health/pkg/check"
)

// highlight is for how long a change stands out.
const highlight = 15 * time.Second

// Widths of the table's columns. That of the name is the least; the trend and the reason
// share the rest.
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
	lines = append(lines, m.below(m.height-len(lines)-len(foot))...)
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
	if m.paused {
		state += "  " + yellow().Render("paused")
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

// nameWidth is that of the longest name, as far as some of the reason can be seen beside it.
func (m *model) nameWidth() int {
	const reason = 12
	longest := 0
	for _, s := range m.watch.Services {
		longest = max(longest, lipgloss.Width(check.Printable(s.Name))+1)
	}
	return max(nameWidth, min(longest, m.width-statusWidth-sinceWidth-latencyWidth-reason))
}

// trendWidth is what the trend gets of what the other columns leave: the smaller part,
// and the reason the greater. On a narrow terminal the reason gets all.
func (m *model) trendWidth() int {
	const least, most = 8, 40
	rest := m.width - m.nameWidth() - statusWidth - sinceWidth - latencyWidth
	if trend := rest * 2 / 5; trend >= least {
		return min(trend, most)
	}
	return 0
}

func (m *model) table() []string {
	trend := m.trendWidth()
	why := max(0, m.width-m.nameWidth()-statusWidth-sinceWidth-latencyWidth-trend-1)
	head := cell("SERVICE", m.nameWidth()) + cell("STATUS", statusWidth) + cell("FOR", sinceWidth) + cell("LATENCY", latencyWidth) +
		cell("TREND", trend+1) + cell("REASON", why)
	lines := []string{faint().Render(fit(head, m.width))}
	for _, s := range m.watch.Services {
		lines = append(lines, m.row(s, trend, why))
	}
	return append(lines, "")
}

func (m *model) row(s check.LookService, trend, why int) string {
	name, status := cell(s.Name, m.nameWidth()), cell(s.Status, statusWidth)
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
	return check.Span(m.now.Sub(s.Since))
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
		line := fit(c.At.Format(time.TimeOnly)+"  "+cell(c.What, m.nameWidth())+strings.ReplaceAll(transition(c), "\n  ", ": "), m.width)
		if m.now.Sub(c.At) < highlight {
			line = bold().Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

func (m *model) foot() string {
	parts := []string{"q quits"}
	if m.mute {
		parts[0] = "Ctrl-C quits"
	}
	l := m.watch.Latest
	if l != nil {
		parts = append(parts, fmt.Sprintf("look %d, %d failed", m.watch.Rounds, m.watch.Failed))
	}
	if asking := m.now.Sub(m.asked).Round(time.Second); m.paused {
		parts = append(parts, "paused, p goes on")
	} else if !m.asked.IsZero() && asking > 0 {
		parts = append(parts, fmt.Sprintf("asking for %s", asking))
	} else if l != nil {
		next := max(0, l.At.Add(m.interval).Sub(m.now)).Round(time.Second)
		parts = append(parts, fmt.Sprintf("every %s, next in %s", m.interval, next))
	}
	if !m.mute {
		parts = append(parts, "? shows the keys")
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

// The sixteen colours of the terminal: its owner has chosen how they look on its
// background. No meaning is carried by colour alone.

func bold() lipgloss.Style   { return lipgloss.NewStyle().Bold(true) }
func faint() lipgloss.Style  { return lipgloss.NewStyle().Faint(true) }
func green() lipgloss.Style  { return lipgloss.NewStyle().Foreground(lipgloss.Green) }
func yellow() lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Yellow) }
func red() lipgloss.Style    { return lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true) }

func statusStyle(status string) lipgloss.Style {
	switch status {
	case "healthy", "ready", "alive":
		return green()
	case "degraded":
		return yellow()
	case "unhealthy", "not_ready", "not ready", "no answer":
		return red()
	default:
		return faint()
	}
}

func verdictText(v check.Verdict) string {
	const width = 10
	switch v {
	case check.Pass:
		return green().Width(width).Render("pass")
	case check.Degraded:
		return yellow().Width(width).Render("degraded")
	default:
		return red().Width(width).Render("FAIL")
	}
}

// spark draws the latest of the values, one a column. The middle of the height is
// their median, and twice that is the top, so that a steady latency is a level line and
// noise does not look like trouble. A value of 0 is a gap.
func spark(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	top := 2 * median(values)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(values)))
	for _, v := range values {
		b.WriteRune(level(v, top))
	}
	return b.String()
}

func level(v, top float64) rune {
	levels := []rune("▁▂▃▄▅▆▇█")
	if v <= 0 {
		return '·'
	}
	n := int(math.Round(v / top * float64(len(levels)-1)))
	return levels[min(n, len(levels)-1)]
}

func median(values []float64) float64 {
	there := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v <= 0 })))
	if len(there) == 0 {
		return 0
	}
	return there[len(there)/2]
}

// bar draws a part of a whole, as long as width at most; what is not nothing can be
// seen.
func bar(part, whole, width int) string {
	if part == 0 || whole == 0 {
		return ""
	}
	return strings.Repeat("█", max(1, int(math.Round(float64(part)/float64(whole)*float64(width)))))
}

// steady is a line as it may go to a terminal: with the sequences of our own styles, and
// ? in the place of any other control character, whoever sent it.
func steady(line string) string {
	var b strings.Builder
	for line != "" {
		if n := ownStyle(line); n > 0 {
			b.WriteString(line[:n])
			line = line[n:]
			continue
		}
		end := len(line)
		if next := strings.IndexByte(line[1:], '\x1b'); next >= 0 {
			end = next + 1
		}
		b.WriteString(check.Printable(line[:end]))
		line = line[end:]
	}
	return b.String()
}

// ownStyle is the length of the sequence of a style of ours that a text begins with, or
// 0.
func ownStyle(text string) int {
	parameters, ok := strings.CutPrefix(text, "\x1b[")
	end := strings.IndexByte(parameters, 'm')
	if !ok || end < 0 {
		return 0
	}
	for parameter := range strings.SplitSeq(parameters[:end], ";") {
		// Reset, bold, faint, reversed; red, green, yellow.
		if !slices.Contains([]string{"", "0", "1", "2", "7", "31", "32", "33"}, parameter) {
			return 0
		}
	}
	return len("\x1b[") + end + 1
}
