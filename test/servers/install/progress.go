package install

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// quietTime is how long a task takes before anything is said about it.
	quietTime = 2 * time.Second
	// linePeriod is the time between two lines about a task.
	linePeriod = 20 * time.Second
	// rewritePeriod is the same on a terminal, where the line is rewritten in place.
	rewritePeriod = time.Second
)

// Progress shows tasks that take long: on a terminal in one line that is rewritten in
// place, elsewhere by one line per 20 seconds and task. A task that ends within two
// seconds is not shown. Its methods may be called concurrently; a nil Progress shows
// nothing.
type Progress struct {
	say      func(line string)
	terminal bool
	out      io.Writer // of a terminal

	mu    sync.Mutex // keeps the lines of several goroutines apart
	shown []*task
}

// To shows progress on out, which may be a terminal.
func To(out io.Writer) *Progress {
	p := &Progress{out: out, terminal: isTerminal(out)}
	p.say = func(line string) { fmt.Fprintln(out, line) }
	return p
}

// Lines calls say with each line. A nil say shows nothing.
func Lines(say func(line string)) *Progress {
	if say == nil {
		return nil
	}
	return &Progress{say: say}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Say writes a line that stays.
func (p *Progress) Say(line string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.say(line)
	p.draw()
}

// task is one piece of work.
type task struct {
	what  string
	usual time.Duration // how long it takes on two cores that do nothing else; 0: unknown
	left  []string      // what comes after it
	begin time.Time
}

func (t *task) String() string {
	text := fmt.Sprintf("%s: %s so far", t.what, spell(time.Since(t.begin)))
	if t.usual > 0 {
		text += ", usually " + spell(t.usual)
	}
	if len(t.left) > 0 {
		text += "; left after it: " + strings.Join(t.left, ", ")
	}
	return text
}

// spell writes a duration for people: "50 s", "3 min" or "1 min 20 s".
func spell(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds%60 == 0:
		return fmt.Sprintf("%d min", seconds/60)
	}
	return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
}

// Compile shows a compilation of the product's programs until done is called.
func (p *Progress) Compile() (done func()) {
	return p.start(task{what: "compiling", usual: 90 * time.Second})
}

// start shows the task until done is called, which waits for the goroutine that does.
func (p *Progress) start(t task) (done func()) {
	if p == nil {
		return func() {}
	}
	t.begin = time.Now()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		p.follow(&t, stop)
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

func (p *Progress) follow(t *task, stop <-chan struct{}) {
	period := linePeriod
	if p.terminal {
		period = rewritePeriod
	}
	tick := time.NewTimer(quietTime)
	defer tick.Stop()
	shown := false
	for {
		select {
		case <-tick.C:
			p.show(t)
			shown = true
			tick.Reset(period)
		case <-stop:
			if shown {
				p.finish(t)
			}
			return
		}
	}
}

func (p *Progress) show(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		p.say(t.String())
		return
	}
	if !slices.Contains(p.shown, t) {
		p.shown = append(p.shown, t)
	}
	p.draw()
}

func (p *Progress) finish(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.shown = slices.DeleteFunc(p.shown, func(other *task) bool { return other == t })
	p.say(fmt.Sprintf("%s: ended after %s", t.what, spell(time.Since(t.begin))))
	p.draw()
}

// The sequences of a terminal: to the start of the line and erase it; and not to wrap,
// or a line that is too long could not be rewritten.
const (
	eraseLine = "\r\x1b[K"
	wrapOff   = "\x1b[?7l"
	wrapOn    = "\x1b[?7h"
)

func (p *Progress) erase() {
	if len(p.shown) > 0 {
		fmt.Fprint(p.out, eraseLine)
	}
}

func (p *Progress) draw() {
	if len(p.shown) == 0 {
		return
	}
	texts := make([]string, len(p.shown))
	for i, t := range p.shown {
		texts[i] = t.String()
	}
	fmt.Fprint(p.out, eraseLine+wrapOff+strings.Join(texts, " | ")+wrapOn)
}
