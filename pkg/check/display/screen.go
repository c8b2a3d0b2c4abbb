package display

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/reims/reims-health/pkg/check"
)

// Screen is the monitor's live screen. It takes the terminal over while Run runs, and
// gives it back as it was.
type Screen struct {
	program *tea.Program
	gate    *gate
}

// NewScreen returns a screen on a terminal, for a monitor that looks at url every
// interval. The environment says what the terminal can do.
func NewScreen(in io.Reader, out io.Writer, environ []string, url string, interval time.Duration) *Screen {
	m := &model{url: url, interval: interval, width: 80, height: 24, now: time.Now(), gate: newGate()}
	if !IsTerminal(in) {
		in, m.mute = nil, true // no keys then
	}
	// The signals are main's; Ctrl-C is a key here.
	return &Screen{tea.NewProgram(m,
		tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(Environ(environ)), tea.WithoutSignalHandler()), m.gate}
}

// Run shows the screen until q or Ctrl-C is pressed, or ctx is done.
func (s *Screen) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.program.Quit)
	defer stop()
	_, err := s.program.Run()
	return err
}

// Begin shows what the sidecar remembers, which may be nil. It waits as Show does.
func (s *Screen) Begin(p *check.Past) { s.program.Send(p) }

// Show shows what a look saw. It waits for Run to begin, and does nothing after its
// end.
func (s *Screen) Show(l *check.Look) { s.program.Send(l) }

// Ask says that a look is being taken, until it is shown. It waits as Show does, and while the
// screen is paused, until ctx is done.
func (s *Screen) Ask(ctx context.Context) {
	s.gate.wait(ctx)
	s.program.Send(asking(time.Now()))
}

// gate holds up those that wait while it is shut.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

// set shuts the gate, or opens the one that is shut.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shut {
		g.open = make(chan struct{})
		return
	}
	close(g.open)
}

// wait returns when the gate is open, or ctx is done.
func (g *gate) wait(ctx context.Context) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
}

type (
	tick   time.Time
	asking time.Time
)

// maxChanges is how many are kept to be shown.
const maxChanges = 100

// panel is what stands below the table.
type panel int

const (
	panelChanges panel = iota
	panelDetail        // of one service
	panelHelp
)

// model is what the screen shows.
type model struct {
	url           string
	interval      time.Duration
	width, height int
	now           time.Time
	asked         time.Time // when the look began that is being taken; zero if none is
	watch         check.Watch
	changes       []check.Change // the latest last

	gate   *gate
	mute   bool      // no keys are read
	paused bool      // no look is taken, and time stands still
	held   []tea.Msg // what came while it was paused, to be taken in when it goes on
	panel  panel
	chosen string // the service whose detail is shown, once one was chosen
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
		return m, m.key(msg.String())
	case tick:
		if !m.paused {
			m.now = time.Time(msg)
		}
		return m, clock()
	case asking:
		m.asked = time.Time(msg)
	case *check.Look, *check.Past:
		if m.held = append(m.held, msg); !m.paused {
			m.takeIn()
		}
	}
	return m, nil
}

// takeIn takes in what was held.
func (m *model) takeIn() {
	for _, msg := range m.held {
		switch msg := msg.(type) {
		case *check.Look:
			m.see(msg)
		case *check.Past:
			m.begin(msg)
		}
	}
	m.held = nil
}

// key does what a key is for.
func (m *model) key(name string) tea.Cmd {
	toggle := func(p panel) {
		if m.panel == p {
			p = panelChanges
		}
		m.panel = p
	}
	switch name {
	case "q", "ctrl+c":
		return tea.Quit
	case "esc":
		if m.panel == panelChanges {
			return tea.Quit
		}
		m.panel = panelChanges
	case "?", "h":
		toggle(panelHelp)
	case "d", "enter":
		toggle(panelDetail)
	case "p", "space":
		if m.paused = !m.paused; !m.paused {
			m.takeIn()
		}
		m.gate.set(m.paused)
	case "down", "j", "tab":
		m.choose(1)
	case "up", "k", "shift+tab":
		m.choose(-1)
	}
	return nil
}

// choose shows the detail of another service.
func (m *model) choose(by int) {
	n := len(m.watch.Services)
	if n == 0 {
		return
	}
	if m.panel == panelDetail {
		m.chosen = m.watch.Services[(m.detailed()+by+n)%n].Name
	}
	m.panel = panelDetail
}

// detailed is the index of the service whose detail is shown: the chosen one or, until one was
// chosen, the first that is not healthy.
func (m *model) detailed() int {
	troubled := -1
	for i, s := range m.watch.Services {
		if s.Name == m.chosen {
			return i
		}
		if troubled < 0 && s.Status != "healthy" {
			troubled = i
		}
	}
	return max(0, troubled)
}

func (m *model) begin(p *check.Past) {
	if p == nil {
		return
	}
	m.watch.Begin(p)
	m.changes = slices.Concat(p.Changes, m.changes)
	slices.SortStableFunc(m.changes, func(a, b check.Change) int { return a.At.Compare(b.At) })
	m.changes = m.changes[max(0, len(m.changes)-maxChanges):]
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
