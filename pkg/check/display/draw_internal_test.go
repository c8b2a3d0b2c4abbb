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

// sample is a monitor that has seen an outage and then no answer, or not.
func sample(width, height int, answers bool) *model {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	m := &model{url: "http://127.0.0.1:8008", interval: 30 * time.Second, width: width, height: height}
	ok := check.LookService{Name: "database", Status: "healthy", LatencyMS: 1.25, Since: now.Add(-26 * time.Hour)}
	redis := check.LookService{Name: "redis", Status: "healthy", LatencyMS: 0.5, Since: now.Add(-26 * time.Hour)}
	down := check.LookService{Name: "redis", Status: "unhealthy", Reason: "refused", Message: "nothing listens there", Since: now.Add(-70 * time.Second)}
	looks := []*check.Look{
		{Status: "healthy", Ready: "ready", TimeMS: 0.4, Services: []check.LookService{ok, redis}},
		{Status: "degraded", Ready: "ready", TimeMS: 0.6, Services: []check.LookService{ok, down}},
	}
	if !answers {
		looks = append(looks, &check.Look{Status: check.NoAnswer, Failed: true, Problems: []string{"GET x: refused\n  is it running?"}})
	}
	for i, l := range looks {
		l.At = now.Add(time.Duration(i-len(looks)) * m.interval)
		m.see(l)
	}
	m.now = now
	return m
}

func TestDraw(t *testing.T) {
	t.Parallel()
	var plain strings.Builder
	w := colorprofile.Writer{Forward: &plain, Profile: colorprofile.NoTTY}
	if _, err := w.WriteString(sample(80, 24, true).draw()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(plain.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	want := []string{
		"reims-health  http://127.0.0.1:8008                                     12:00:00",
		" degraded   ready  answered in 0.60 ms",
		"",
		"SERVICE    STATUS      FOR      LATENCY    TREND          REASON",
		"database   healthy     26h00m   1.25 ms    ▅▅",
		"redis      unhealthy   1m10s    -          ▅·             refused: nothing list…",
		"",
		"CHANGES",
		"11:59:30  overall    healthy -> degraded",
		"11:59:30  redis      healthy -> unhealthy: refused: nothing listens there",
		"",
		"q quits; look 2, 0 failed; every 30s, next in 0s; ? shows the keys",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

// Whatever the window's size, nothing goes beyond it.
func TestDrawFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(10, 250).Draw(t, "width"), rapid.IntRange(4, 60).Draw(t, "height")
		lines := strings.Split(sample(width, height, rapid.Bool().Draw(t, "answers")).draw(), "\n")
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

// Each line fits before the last cut as well, whatever the texts are, if only the columns
// that do not share have room.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.SampledFrom([]rune("数据库é👍🏽x \x1b\n\u202e")), 0, 300, -1)
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(leastWidth, 250).Draw(t, "width")
		m := sample(width, 60, rapid.Bool().Draw(t, "answers"))
		m.url, m.watch.Latest.Status = text.Draw(t, "url"), text.Draw(t, "overall")
		m.watch.Latest.Problems = []string{text.Draw(t, "problem")}
		for i := range m.watch.Services {
			s := &m.watch.Services[i]
			s.Name, s.Status, s.Reason = text.Draw(t, "name"), text.Draw(t, "status"), text.Draw(t, "reason")
		}
		for i := range m.changes {
			m.changes[i].What, m.changes[i].Message = text.Draw(t, "what"), text.Draw(t, "message")
		}
		for _, line := range m.lines() {
			if w := lipgloss.Width(line); w > width {
				t.Fatalf("%d columns in %d: %q", w, width, line)
			}
		}
	})
}

// While it is paused, what is shown stays: a look that was under way, and the history, are taken
// in when it goes on.
func TestPauseHolds(t *testing.T) {
	t.Parallel()
	m := sample(80, 24, true)
	m.gate = newGate()
	m.key("p")
	before := m.draw()
	m.Update(&check.Look{At: m.now, Status: check.NoAnswer, Failed: true, Problems: []string{"refused"}})
	m.Update(&check.Past{Changes: []check.Change{{At: m.now.Add(-time.Hour), What: "redis", From: "unknown", To: "healthy"}}})
	m.Update(tick(m.now.Add(time.Minute)))
	if diff := cmp.Diff(before, m.draw()); diff != "" {
		t.Error(diff)
	}
	m.key("p")
	if after := m.draw(); !strings.Contains(after, "connection refused") && !strings.Contains(after, "no answer") || !strings.Contains(after, "unknown -> healthy") {
		t.Errorf("what came meanwhile is gone:\n%s", after)
	}
	if m.Update(&check.Look{At: m.now, Status: "healthy"}); m.watch.Rounds != 4 {
		t.Errorf("%d looks were taken in, want 4", m.watch.Rounds)
	}
}

// While no answer comes the screen says how long it has been waiting.
func TestDrawAsks(t *testing.T) {
	t.Parallel()
	m := sample(80, 24, true)
	m.Update(asking(m.now))
	m.Update(tick(m.now.Add(4 * time.Second)))
	if foot := m.foot(); foot != "q quits; look 2, 0 failed; asking for 4s; ? shows the keys" {
		t.Error(foot)
	}
	m.see(m.watch.Latest)
	if foot := m.foot(); !strings.Contains(foot, "every 30s, next in") {
		t.Error(foot)
	}
}

func TestScreenIsBounded(t *testing.T) {
	t.Parallel()
	m := &model{width: 80, height: 24}
	for i := range 1000 {
		m.see(&check.Look{At: time.Unix(int64(i), 0), Status: []string{"healthy", "degraded"}[i%2]})
	}
	if len(m.changes) != maxChanges || !m.changes[maxChanges-1].At.Equal(time.Unix(999, 0)) {
		t.Errorf("%d changes are kept", len(m.changes))
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, width := check.Printable(rapid.String().Draw(t, "text")), rapid.IntRange(0, 20).Draw(t, "width")
		got := fit(text, width)
		if lipgloss.Width(got) > width || lipgloss.Width(text) <= width && got != text {
			t.Fatalf("%q in %d is %q", text, width, got)
		}
	})
}

func TestSpark(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]float64{
		"    ": nil,
		"  ▅▅": {1.5, 1.5},
		"▅▅▅▅": {0.1, 9, 2, 2, 2, 2},
		" ▅·▅": {2, 0, 2},
		"▅▅█▁": {1, 1, 50, 0.01},
		"····": {0, 0, 0, 0},
	} {
		if got := spark(values, 4); got != want {
			t.Errorf("%v is %q, want %q", values, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", time.Hour: "1h00m", 50 * time.Hour: "2d02h",
	} {
		if got := check.Span(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestEnviron(t *testing.T) {
	t.Parallel()
	got := Environ([]string{"NO_COLOR=please", "TERM=xterm", "NO_COLOR="})
	if diff := cmp.Diff([]string{"NO_COLOR=1", "TERM=xterm", "NO_COLOR="}, got); diff != "" {
		t.Error(diff)
	}
}
