package display

import (
	"charm.land/lipgloss/v2"

	"github.com/reims/reims-health/pkg/check"
)

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
