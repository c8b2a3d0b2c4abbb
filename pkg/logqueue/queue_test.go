package logqueue_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/logqueue"
)

const patience = 10 * time.Second

func TestBeforeStartItWritesItself(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := logqueue.New(&out)
	fmt.Fprintln(q, "one")
	if out.String() != "one\n" {
		t.Errorf("%q", out.String())
	}
	want := errors.New("no space")
	q = logqueue.New(writerFunc(func([]byte) (int, error) { return 0, want }))
	if _, err := fmt.Fprintln(q, "two"); !errors.Is(err, want) {
		t.Errorf("the output's error is lost: %v", err)
	}
	if !q.Close(0) {
		t.Error("Close found something to wait for")
	}
}

func TestEveryLineInOrder(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := logqueue.New(&out)
	q.Start()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 200 {
				fmt.Fprintf(q, "%d %d\n", w, i)
			}
		})
	}
	writers.Wait()
	if !q.Close(patience) {
		t.Fatal("not written")
	}
	next := map[int]int{}
	for line := range strings.Lines(out.String()) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d\n", &w, &i); err != nil || i != next[w] {
			t.Fatalf("%q, want number %d: %v", line, next[w], err)
		}
		next[w]++
	}
	if diff := cmp.Diff(map[int]int{0: 200, 1: 200, 2: 200, 3: 200}, next); diff != "" || q.Dropped() != 0 {
		t.Errorf("%d dropped, lines (-want +got):\n%s", q.Dropped(), diff)
	}
	if n, err := fmt.Fprintln(q, "late"); n != 5 || err != nil || strings.Contains(out.String(), "late") {
		t.Errorf("after Close: %d, %v", n, err)
	}
}

// A pipe that is not read holds nobody up. Once it is read, what was kept comes out
// whole and in order, and a line says how many are missing, where they are missing.
func TestPipeThatIsNotRead(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	q := logqueue.New(w)
	q.SetNotice(func(lost uint64) []byte { return fmt.Appendf(nil, "lost %d\n", lost) })
	q.Start()
	const written = 5000
	padding := strings.Repeat("x", 90)
	for i := range written {
		fmt.Fprintf(q, "line %d %s\n", i, padding)
	}
	if q.Close(time.Millisecond) {
		t.Error("Close says that all was written")
	}
	dropped := q.Dropped()
	if dropped == 0 || dropped > written {
		t.Fatalf("%d of %d lines dropped", dropped, written)
	}
	next, lost, lines := 0, 0, bufio.NewScanner(r)
	for next < written && lines.Scan() {
		var i, n int
		switch {
		case scan(lines.Text(), "lost %d", &n):
			lost += n
			next += n
		case scan(lines.Text(), "line %d "+padding, &i) && i == next:
			next++
		default:
			t.Fatalf("%q, want line %d", lines.Text(), next)
		}
	}
	if uint64(lost) != dropped {
		t.Errorf("the log says that %d lines were lost, Dropped says %d", lost, dropped)
	}
}

func scan(line, format string, to *int) bool {
	_, err := fmt.Sscanf(line, format, to)
	return err == nil
}

// One line says what a failed output has cost, before the next line that is written, and
// on a line of its own where a part of a line was written.
func TestOutputThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails  string // for each write: '-' fails, 't' tears, 'n' fails after the newline, anything else works
		writes []string
		want   string
		lost   uint64
	}{
		"works":                  {"", []string{"a", "b"}, "a\nb\n", 0},
		"one fails":              {"-", []string{"a", "b"}, "lost 1\nb\n", 1},
		"for long":               {"----", []string{"a", "b", "c", "d", "e"}, "lost 4\ne\n", 4},
		"again and again":        {"-++-", []string{"a", "b", "c", "d"}, "lost 1\nb\nlost 1\nd\n", 2},
		"a torn line":            {"+t", []string{"a", "bb", "c"}, "a\nb\nlost 1\nc\n", 1},
		"a torn notice":          {"-t", []string{"a", "b", "c"}, "l\nlost 2\nc\n", 2},
		"all but its error":      {"n", []string{"a", "b"}, "a\nlost 1\nb\n", 1},
		"several lines at once":  {"-", []string{"a\nb\nc", "d"}, "lost 3\nd\n", 3},
		"for good":               {"-----", []string{"a", "b"}, "", 2},
		"an empty line counts":   {"-", []string{"", "a"}, "lost 1\na\n", 1},
		"the last one is missed": {"+-", []string{"a", "b"}, "a\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &failing{fails: test.fails}
				q := logqueue.New(out)
				q.SetNotice(func(lost uint64) []byte { return fmt.Appendf(nil, "lost %d\n", lost) })
				q.Start()
				for _, text := range test.writes {
					if n, err := io.WriteString(q, text+"\n"); n != len(text)+1 || err != nil {
						t.Errorf("Write returned %d, %v", n, err)
					}
					synctest.Wait()
				}
				if !q.Close(patience) {
					t.Error("not closed")
				}
				if out.String() != test.want || q.Dropped() != test.lost {
					t.Errorf("%d dropped, written:\n%s\nwant %d:\n%s", q.Dropped(), out, test.lost, test.want)
				}
			})
		})
	}
}

// The output fails as told, and then works.
type failing struct {
	bytes.Buffer
	fails string
}

func (f *failing) Write(p []byte) (int, error) {
	how := byte('+')
	if f.fails != "" {
		how, f.fails = f.fails[0], f.fails[1:]
	}
	switch how {
	case '-':
		return 0, syscall.ENOSPC
	case 't':
		f.Buffer.Write(p[:1])
		return 1, syscall.ENOSPC
	case 'n':
		n, _ := f.Buffer.Write(p)
		return n, syscall.EIO
	default:
		return f.Buffer.Write(p)
	}
}

// A reader that has gone costs its lines, and so does a device that is full.
func TestRealOutputsThatFail(t *testing.T) {
	t.Parallel()
	r, broken, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	closed, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, out := range map[string]*os.File{"broken pipe": broken, "full disk": full, "closed": closed} {
		q := logqueue.New(out)
		q.Start()
		for i := range 10 {
			fmt.Fprintln(q, "line", i)
		}
		if !q.Close(patience) || q.Dropped() != 10 {
			t.Errorf("%s: %d of 10 lines dropped", name, q.Dropped())
		}
		out.Close()
	}
}

// Text that is longer than the queue is taken when nothing else waits.
func TestLongText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q := logqueue.New(&out)
	q.Start()
	text := strings.Repeat("x", 1<<20) + "\n"
	_, _ = io.WriteString(q, text)
	if !q.Close(patience) || out.String() != text {
		t.Errorf("%d of %d bytes written", out.Len(), len(text))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
