package install

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder keeps the lines.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) say(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// Where no terminal is, a long task is one line per 20 seconds: what it is, for how long
// it has run, how long that usually takes, and what is left after it.
func TestProgressInLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		done := Lines(r.say).start(task{what: "building MinIO", usual: 3 * time.Minute, left: []string{"Ollama, usually 5 min", "kubelet, usually 1 min"}})
		time.Sleep(45 * time.Second)
		done()
		const left = ", usually 3 min; left after it: Ollama, usually 5 min, kubelet, usually 1 min"
		want := []string{
			"building MinIO: 2 s so far" + left,
			"building MinIO: 22 s so far" + left,
			"building MinIO: 42 s so far" + left,
			"building MinIO: ended after 45 s",
		}
		if diff := cmp.Diff(want, r.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// What is quick is not worth a line, and a nil Progress shows nothing.
func TestProgressOfQuickTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		done := Lines(r.say).start(task{what: "installing redis-server"})
		silent := Lines(nil).start(task{what: "installing redis-server"})
		time.Sleep(quietTime - time.Millisecond)
		done()
		silent()
		Lines(nil).Say("nothing")
		if len(r.lines) > 0 {
			t.Errorf("%q", r.lines)
		}
	})
}

// On a terminal all tasks share one line, which is rewritten each second. Lines that stay
// go above it.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(bytes.Buffer)
		p := To(out)
		p.terminal = true
		compiled := p.Compile()
		time.Sleep(500 * time.Millisecond)
		installed := p.start(task{what: "installing redis-server"})
		time.Sleep(2600 * time.Millisecond) // at 3.1 s
		p.Say("go: downloading example.com/module v1.0.0")
		installed()
		compiled()
		const wipe, off, on = "\r\x1b[K", "\x1b[?7l", "\x1b[?7h"
		compiling := func(since string) string { return "compiling: " + since + " so far, usually 1 min 30 s" }
		const installing = " | installing redis-server: 3 s so far"
		want := []string{
			off + compiling("2 s") + on, // at 2 s
			off + compiling("3 s") + " | installing redis-server: 2 s so far" + on, // at 2.5 s
			off + compiling("3 s") + installing + on,                               // at 3 s
		}
		got := strings.Split(out.String(), wipe)
		if len(got) < 5 || got[0] != "" {
			t.Fatalf("%q", got)
		}
		if diff := cmp.Diff(want[:3], got[1:4]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if lines := shownLines(out.String()); !cmp.Equal(lines, []string{
			"go: downloading example.com/module v1.0.0",
			"installing redis-server: ended after 3 s",
			"compiling: ended after 3 s",
			"",
		}) {
			t.Errorf("what stays on the terminal is %q", lines)
		}
	})
}

// shownLines is what a terminal shows in the end.
func shownLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if at := strings.LastIndex(line, eraseLine); at >= 0 {
			lines[i] = line[at+len(eraseLine):]
		}
	}
	return lines
}

func TestIsTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	for _, c := range []struct {
		term string
		want bool
	}{{"xterm", true}, {"dumb", false}, {"", false}} {
		t.Setenv("TERM", c.term)
		if got := isTerminal(terminal); got != c.want {
			t.Errorf("a terminal with TERM=%s: %v", c.term, got)
		}
	}
	t.Setenv("TERM", "xterm")
	if isTerminal(file) || isTerminal(new(bytes.Buffer)) {
		t.Error("a file is taken for a terminal")
	}
}

func TestSpell(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 s", 59400 * time.Millisecond: "59 s", time.Minute: "1 min", 80 * time.Second: "1 min 20 s", 2 * time.Hour: "120 min",
	} {
		if got := spell(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
