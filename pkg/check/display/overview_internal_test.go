package display

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/check"
)

// printed is what a printer of this width writes, in plain text.
func printed(width int, print func(p *Printer)) string {
	var b strings.Builder
	print(&Printer{w: &colorprofile.Writer{Forward: &b, Profile: colorprofile.NoTTY}, width: width})
	return b.String()
}

func outage() *check.Overview {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	docs := "https://docs.example/troubleshooting.md#refused"
	return &check.Overview{URL: "http://127.0.0.1:8008", Verdict: "database and cache are unhealthy; the Pod is ready", Look: &check.Look{
		At: now, Services: []check.LookService{
			{
				Name: "database", Status: "unhealthy", Readiness: check.Held, Since: now.Add(-70 * time.Second), Reason: "refused",
				Message: "the connection was refused", Fault: "shared (2 of 3 peers see it too)", NextStep: "Start it.", Docs: docs,
			},
			{Name: "cache", Status: "unhealthy", Readiness: check.InGrace, Since: now, Reason: "refused", NextStep: "Start it.", Docs: docs},
			{Name: "redis", Status: "healthy", Readiness: check.Ignored, Since: now.Add(-50 * time.Hour), LatencyMS: 0.5},
		},
	}}
}

func TestOverviewTable(t *testing.T) {
	t.Parallel()
	want := `SERVICE   STATUS     READINESS  SINCE        LATENCY  REASON
database  unhealthy  held       1m10s ago          -  refused
  the connection was refused
  fault: shared (2 of 3 peers see it too)
  next: Start it.
cache     unhealthy  grace      0s ago             -  refused
  next: Start it.
redis     healthy    ignored    2d02h ago    0.50 ms  -

https://docs.example/troubleshooting.md#refused

FAIL  database and cache are unhealthy; the Pod is ready (http://127.0.0.1:8008)
`
	if diff := cmp.Diff(want, printed(0, func(p *Printer) { p.Overview(outage()) })); diff != "" {
		t.Error(diff)
	}
	narrow := `SERVICE   STATUS     READINESS
database  unhealthy  held
  refused: the connection was refused
`
	if got := printed(40, func(p *Printer) { p.Overview(outage()) }); !strings.HasPrefix(got, narrow) {
		t.Error(got)
	}
}

// Whatever the terminal's width and the texts are, no line is wider but that of an address.
func TestOverviewFits(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.SampledFrom([]rune("数据库é👍🏽x \x1b\n\u202e-")), 0, 300, -1)
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(64, 200).Draw(t, "width")
		o := outage()
		o.Verdict, o.Problems = text.Draw(t, "verdict"), []string{text.Draw(t, "problem")}
		for i := range o.Services {
			s := &o.Services[i]
			s.Name = rapid.StringMatching("[a-z]{1,32}").Draw(t, "name")
			s.Message, s.NextStep, s.Error, s.Fault = text.Draw(t, "message"), text.Draw(t, "next"), text.Draw(t, "error"), text.Draw(t, "fault")
			s.Problems = []string{text.Draw(t, "problem")}
		}
		for line := range strings.Lines(printed(width, func(p *Printer) { p.Overview(o) })) {
			if w := lipgloss.Width(strings.TrimRight(line, "\n")); w > width && !strings.HasPrefix(line, "https://") {
				t.Fatalf("%d columns in %d: %q", w, width, line)
			}
		}
	})
}

// What stands below the table fits as the rest does, with every panel.
func TestPanelsFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(10, 250).Draw(t, "width"), rapid.IntRange(4, 60).Draw(t, "height")
		m := sample(width, height, rapid.Bool().Draw(t, "answers"))
		m.panel, m.paused, m.mute = panel(rapid.IntRange(0, 2).Draw(t, "panel")), rapid.Bool().Draw(t, "paused"), rapid.Bool().Draw(t, "mute")
		s := &m.watch.Services[1]
		s.NextStep, s.Docs = strings.Repeat("Look at it. ", 20), outage().Services[0].Docs
		s.Facts = []check.Fact{{Label: "Memory in use", Value: "1.05M"}, {Label: strings.Repeat("l", 40), Value: strings.Repeat("v", 300)}}
		m.chosen = s.Name
		lines := strings.Split(m.draw(), "\n")
		if len(lines) > height {
			t.Fatalf("%d lines in %d", len(lines), height)
		}
		for _, line := range lines {
			if w := lipgloss.Width(line); w > width {
				t.Fatalf("%d columns in %d: %q", w, width, line)
			}
		}
	})
}
