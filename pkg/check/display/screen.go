package display

import (
	"context"
	"io"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/reims/reims-health/pkg/check"
)

// Screen is the monitor's live screen. It takes the terminal over while Run runs, and
// gives it back as it was.
type Screen struct{ program *tea.Program }

// NewScreen returns a screen on a terminal, for a monitor that looks at url every
// interval. The environment says what the terminal can do.
func NewScreen(in io.Reader, out io.Writer, environ []string, url string, interval time.Duration) *Screen {
	if !IsTerminal(in) {
		in = nil // no keys then
	}
	// The signals are main's; Ctrl-C is a key here.
	return &Screen{tea.NewProgram(&model{url: url, interval: interval, width: 80, height: 24, now: time.Now()},
		tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(Environ(environ)), tea.WithoutSignalHandler())}
}

// Run shows the screen until q or Ctrl-C is pressed, or ctx is done.
func (s *Screen) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.program.Quit)
	defer stop()
	_, err := s.program.Run()
	return err
}

// Show shows what a look saw. It waits for Run to begin, and does nothing after its
// end.
func (s *Screen) Show(l *check.Look) { s.program.Send(l) }

// Ask says that a look is being taken, until it is shown. It waits as Show does.
func (s *Screen) Ask() { s.program.Send(asking(time.Now())) }

type (
	tick   time.Time
	asking time.Time
)

// maxChanges is how many are kept to be shown.
const maxChanges = 100

// model is what the screen shows.
type model struct {
	url           string
	interval      time.Duration
	width, height int
	now           time.Time
	asked         time.Time // when the look began that is being taken; zero if none is
	watch         check.Watch
	changes       []check.Change // the latest last
}

// Init starts the clock.
func (m *model) Init() tea.Cmd { return clock() }

func clock() tea.Cmd { return tea.Every(time.Second, func(t time.Time) tea.Msg { return tick(t) }) }

// Update takes in what happened.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if slices.Contains([]string{"q", "esc", "ctrl+c"}, msg.String()) {
			return m, tea.Quit
		}
	case tick:
		m.now = time.Time(msg)
		return m, clock()
	case asking:
		m.asked = time.Time(msg)
	case *check.Look:
		m.see(msg)
	}
	return m, nil
}

func (m *model) see(l *check.Look) {
	first := m.watch.Latest == nil
	changes := m.watch.See(l)
	m.now, m.asked = time.Now(), time.Time{}
	if !first { // all is new at first, and in the table
		m.changes = append(m.changes, changes...)
		m.changes = m.changes[max(0, len(m.changes)-maxChanges):]
	}
}

// View draws everything.
func (m *model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = "reims-health: " + m.status()
	return v
}

func (m *model) status() string {
	if m.watch.Latest == nil {
		return "asking"
	}
	return check.Printable(m.watch.Latest.Status)
}
