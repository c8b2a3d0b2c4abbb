package check_test

import (
	"context"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"
	"golang.org/x/term"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// terminal is a program on a terminal, and what a person sees of it.
type terminal struct {
	t      *testing.T
	pty    *os.File
	screen vt10x.Terminal
	cmd    *exec.Cmd
	read   chan struct{} // closed at the end of the output
}

// startTerminal runs reims-health check with these arguments on a terminal.
func startTerminal(t *testing.T, columns, rows int, env []string, args ...string) *terminal {
	t.Helper()
	tt := &terminal{
		t: t, screen: vt10x.New(vt10x.WithSize(columns, rows)), read: make(chan struct{}),
		cmd: exec.Command(binary, append([]string{"check"}, args...)...),
	}
	tt.cmd.Env = append([]string{"TERM=xterm-256color"}, env...)
	var err error
	tt.pty, err = pty.StartWithSize(tt.cmd, size(columns, rows))
	if err != nil {
		t.Fatal(err)
	}
	go tt.watch()
	t.Cleanup(func() {
		_ = tt.cmd.Process.Kill()
		<-tt.read
		_ = tt.pty.Close()
	})
	return tt
}

func size(columns, rows int) *pty.Winsize {
	return &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}
}

func (tt *terminal) watch() {
	defer close(tt.read)
	buffer := make([]byte, 4096)
	for {
		n, err := tt.pty.Read(buffer)
		_, _ = tt.screen.Write(buffer[:n])
		if err != nil { // EIO is the end
			return
		}
	}
}

// sees waits until the screen shows what the pattern says. A dot is not a line's end.
func (tt *terminal) sees(pattern string) {
	tt.t.Helper()
	re := regexp.MustCompile(`(?m)` + pattern)
	poll.Seen(tt.t, patience, "the screen shows "+pattern, func() (string, bool) {
		screen := tt.screen.String()
		return screen, re.MatchString(screen)
	})
}

func (tt *terminal) press(keys string) {
	tt.t.Helper()
	if _, err := tt.pty.WriteString(keys); err != nil {
		tt.t.Fatal(err)
	}
}

func (tt *terminal) resize(columns, rows int) {
	tt.t.Helper()
	tt.screen.Resize(columns, rows)
	if err := pty.Setsize(tt.pty, size(columns, rows)); err != nil {
		tt.t.Fatal(err)
	}
}

// exits waits for the end, and holds the terminal to be as it was.
func (tt *terminal) exits(code int) {
	tt.t.Helper()
	_ = tt.cmd.Wait()
	<-tt.read
	if got := tt.cmd.ProcessState.ExitCode(); got != code {
		tt.t.Errorf("exit code %d, want %d", got, code)
	}
	if !tt.screen.CursorVisible() || tt.screen.Mode()&vt10x.ModeAltScreen != 0 {
		tt.t.Error("the terminal is not as it was")
	}
	if diff := cmp.Diff(fresh(tt.t), modes(tt.t, tt.pty), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		tt.t.Errorf("the terminal's modes are not as they were: %s", diff)
	}
}

// modes are how a terminal treats what is typed, such as whether it shows it.
func modes(t *testing.T, terminal *os.File) *term.State {
	t.Helper()
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// fresh are the modes of a new terminal.
func fresh(t *testing.T) *term.State {
	t.Helper()
	terminal, other, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer other.Close()
	return modes(t, terminal)
}

// widest is the length of the longest line on the screen.
func (tt *terminal) widest() (columns int) {
	for line := range strings.Lines(tt.screen.String()) {
		columns = max(columns, len([]rune(strings.TrimRight(line, " \n"))))
	}
	return columns
}

// coloured reports whether any text is in a colour.
func (tt *terminal) coloured() bool {
	tt.screen.Lock()
	defer tt.screen.Unlock()
	columns, rows := tt.screen.Size()
	for i := range columns * rows {
		if fg := tt.screen.Cell(i%columns, i/columns).FG; fg != vt10x.DefaultFG && fg != vt10x.DefaultBG {
			return true
		}
	}
	return false
}

// What a person sees of an outage, and of its end.
func TestMonitorOnATerminal(t *testing.T) {
	t.Parallel()
	postgres := servers.RunPostgres(t, servers.PostgresOptions{})
	s := startFor(t, postgres)
	tt := startTerminal(t, 80, 24, []string{"HEALTH_ADDR=" + s.addr}, "monitor", "--interval", "200ms")
	tt.sees(`^ ?reims-health  http://` + s.addr + ` +\d\d:\d\d:\d\d$`)
	tt.sees(`^ healthy   ready  answered in [0-9.]+ ms`)
	tt.sees(`^SERVICE +STATUS +FOR +LATENCY +TREND +REASON`)
	tt.sees(`^database +healthy +\d+s +[0-9.]+ ms +[▁▂▃▄▅▆▇█]+`)
	tt.sees(`^redis +healthy `)

	stop(t, postgres)
	tt.sees(`^ unhealthy   not ready  answered in`)
	tt.sees(`^database +unhealthy +\d+s +- +.*· +refused: the`)
	tt.sees(`^redis +healthy `)
	tt.sees(`^CHANGES`)
	tt.sees(`^\d\d:\d\d:\d\d  database +healthy -> unhealthy: refused: the connection was`)
	tt.sees(`^\d\d:\d\d:\d\d  overall +healthy -> unhealthy`)
	tt.sees(`^\d\d:\d\d:\d\d  readiness +ready -> not ready`)
	tt.sees(`^q quits; look \d+, \d+ failed; every 200ms, next in`)
	if rows := strings.Count(tt.screen.String(), "database "); rows != 3 { // its row, its change, and its first verdict
		t.Errorf("%d lines on the database: drawn below rather than over each other?\n%s", rows, tt.screen)
	}

	// A wider window has room for all of it, a narrower one for what matters.
	tt.resize(140, 30)
	tt.sees(`^database +unhealthy .*refused: the connection was refused: nothing listens`)
	tt.resize(50, 12)
	tt.sees(`^database +unhealthy +\d+s +- +ref`)
	tt.sees(`^q quits; look \d+, `)
	if columns := tt.widest(); columns > 50 {
		t.Errorf("%d columns in a window of 50:\n%s", columns, tt.screen)
	}
	tt.resize(80, 24)

	if err := postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	tt.sees(`^ healthy   ready `)
	tt.sees(`^\d\d:\d\d:\d\d  database +unhealthy -> healthy`)

	// The sidecar goes away: what is known of the services is not passed off as news.
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	tt.sees(`^ no answer `)
	tt.sees(`^database +\(healthy\) +- +-`)
	tt.sees(`connection refused: nothing listens there`)

	tt.press("\x03")
	tt.exits(0)
	tt.sees(`\d+ looks? at http://.*, \d+ failed; at last no answer`)
}

func TestMonitorEnds(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	for name, end := range map[string]func(*terminal){
		"key":     func(tt *terminal) { tt.press("q") },
		"signal":  func(tt *terminal) { _ = tt.cmd.Process.Signal(syscall.SIGTERM) },
		"counted": func(*terminal) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"monitor", "--interval", "100ms"}
			if name == "counted" {
				args = append(args, "--count", "10")
			}
			tt := startTerminal(t, 80, 24, []string{"HEALTH_ADDR=" + s.addr}, args...)
			tt.sees(`^redis +healthy `)
			end(tt)
			tt.exits(0)
			tt.sees(`\d+ looks? at .*, 0 failed; at last healthy, ready`)
		})
	}
}

// Colours are for terminals, and for those who want them.
func TestColours(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	for _, test := range []struct {
		env  string
		want bool
	}{{"SOME=thing", true}, {"NO_COLOR=", true}, {"NO_COLOR=1", false}, {"NO_COLOR=please", false}, {"TERM=dumb", false}} {
		t.Run(test.env, func(t *testing.T) {
			t.Parallel()
			for _, mode := range [][]string{{}, {"endpoints"}, {"monitor", "--interval", "100ms"}} {
				tt := startTerminal(t, 100, 24, []string{"HEALTH_ADDR=" + s.addr, test.env}, mode...)
				tt.sees(`^redis +healthy|: redis healthy|GET /health/redis .*healthy`)
				if coloured := tt.coloured(); coloured != test.want {
					t.Errorf("%v: coloured is %t, want %t:\n%s", mode, coloured, test.want, tt.screen)
				}
				if len(mode) > 1 { // a monitor
					_ = tt.cmd.Process.Signal(syscall.SIGTERM)
				}
				tt.exits(0)
			}
		})
	}
}

// startFor starts a sidecar for the database and Redis, or, with no database, for Redis.
func startFor(t *testing.T, postgres *servers.Postgres) *sidecar {
	t.Helper()
	env, err := shared.env(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	names := "redis"
	if postgres != nil {
		env, names = append(env, assignments(postgres.Env())...), "database,redis"
	}
	s, err := startSidecar(t.Context(), append(env, "HEALTH_SERVICES="+names))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

// stop takes the server away at once: one that shuts down in order says so for a moment,
// and a check in that moment has another reason.
func stop(t *testing.T, postgres *servers.Postgres) {
	t.Helper()
	if err := postgres.Kill(); err != nil {
		t.Fatal(err)
	}
}

// NO_COLOR writes no escape sequence at all, whatever the command does, and also on standard
// error, which is the same terminal.
func TestNoColourWritesNoEscape(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	for _, args := range [][]string{
		{},
		{"endpoints"},
		{"detailed"},
		{"monitor", "--interval", "100ms", "--count", "3"},
		{"--direct"},
		{"--help"},
		{"--nonsense"},
		{"--url", "127.0.0.1:1"},
	} {
		for _, variable := range []string{"NO_COLOR=1", "NO_COLOR=please"} {
			out := raw(t, 80, []string{"TERM=xterm-256color", "HEALTH_ADDR=" + s.addr, variable, "HEALTH_SERVICES=redis", "REDIS_PORT=1", "CLICOLOR_FORCE=1"}, args...)
			if out == "" || strings.ContainsRune(out, '\x1b') {
				t.Errorf("check %v with %s: %q", args, variable, out)
			}
		}
	}
}

// The first screen has the past, and the keys do what the help says.
func TestMonitorKeys(t *testing.T) {
	t.Parallel()
	postgres := servers.RunPostgres(t, servers.PostgresOptions{})
	s := startFor(t, postgres)
	stop(t, postgres)
	down := func(h health) bool { return h.reason("database") == "refused" && h.Services["database"] == "unhealthy" }
	if err := s.await(t.Context(), down); err != nil {
		t.Fatal(err)
	}
	tt := startTerminal(t, 80, 30, []string{"HEALTH_ADDR=" + s.addr}, "monitor", "--interval", "1h")
	tt.sees(`^\d\d:\d\d:\d\d  database +healthy -> unhealthy: `) // the only look found it so already
	tt.sees(`^database +unhealthy .*[▁▂▃▄▅▆▇█]·* +refused`)
	tt.sees(`look 1, 0 failed|look 1, 1 failed`)

	tt.press("?")
	tt.sees(`^KEYS`)
	tt.sees(`^p, Space +pause`)
	tt.press("d")
	tt.sees(`^DETAIL of database`)
	tt.sees(`^https://github.com/.*#refused *$`)
	tt.sees(`^Next step +Check that the server runs`)
	tt.press("\x1b[B")
	tt.sees(`^DETAIL of redis`)
	tt.sees(`^Memory in use +\d`)
	tt.press("k")
	tt.sees(`^DETAIL of database`)
	tt.press("d")
	tt.sees(`^CHANGES`)
	tt.press("q")
	tt.exits(0)
}

// looks is how many the screen says were taken.
func (tt *terminal) looks() (n int) {
	tt.t.Helper()
	found := regexp.MustCompile(`look (\d+),`).FindStringSubmatch(tt.screen.String())
	if found == nil {
		tt.t.Fatalf("no look on the screen:\n%s", tt.screen)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		tt.t.Fatal(err)
	}
	return n
}

// While the screen is paused no look is taken.
func TestMonitorPauses(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	tt := startTerminal(t, 80, 24, []string{"HEALTH_ADDR=" + s.addr}, "monitor", "--interval", "100ms")
	tt.sees(`look [1-9]\d*, 0 failed`)
	tt.press("p")
	tt.sees(`paused, p goes on`)
	looks := tt.looks()
	if err := s.Stop(); err != nil { // it takes a second: ten looks
		t.Fatal(err)
	}
	if now := tt.looks(); now != looks { // the one that may have been under way is not shown
		t.Errorf("%d looks were taken:\n%s", now-looks, tt.screen)
	}
	tt.press(" ")
	tt.sees(`^ no answer `)
	tt.press("\x1b") // Escape
	tt.exits(0)
}

// On a terminal the monitor looks every two seconds unless told otherwise, and says so.
func TestMonitorInterval(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	for want, args := range map[string][]string{
		"every 2s, next in": nil, "every 30s, next in": {"--interval", "30"}, "every 1m30s, next in": {"--interval", "1m30s"},
	} {
		tt := startTerminal(t, 80, 24, []string{"HEALTH_ADDR=" + s.addr}, append([]string{"monitor"}, args...)...)
		tt.sees(want)
		tt.press("q")
		tt.exits(0)
	}
}
