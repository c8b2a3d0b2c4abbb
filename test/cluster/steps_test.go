//go:build e2e

package cluster_test

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

var steps = &record{began: time.Now()}

// record is the table of what was measured. Each step has a name that no other has, so
// that a row can be found and compared with other runs. Its methods may be called concurrently.
type record struct {
	began time.Time
	mu    sync.Mutex
	rows  []string
	names map[string]string // of the steps, with the scenario of each
}

// finding is a fact that was looked at, in words for the table, and whether it is as
// it must be.
type finding struct {
	measured string
	ok       bool
}

// count is a finding about a number that must be exactly want.
func count(got, want int, of string) finding {
	f := finding{fmt.Sprintf("%d %s", got, of), got == want}
	if !f.ok {
		f.measured += fmt.Sprintf(", want %d", want)
	}
	return f
}

// took notes a step's duration, and fails the test when it is above the bound.
func (r *record) took(t testing.TB, step string, measured, bound time.Duration) {
	t.Helper()
	r.compare(t, step, measured.Seconds(), bound.Seconds(), "s")
}

// compare notes a figure that must not be above its bound.
func (r *record) compare(t testing.TB, step string, measured, bound float64, unit string) {
	t.Helper()
	verdict := "ok"
	if measured > bound {
		verdict = "FAILED"
		t.Errorf("%s: %s %s, bound %s %s", step, rounded(measured), unit, rounded(bound), unit)
	}
	r.note(t, step, rounded(measured)+" "+unit, "<= "+rounded(bound)+" "+unit, verdict)
}

// atLeast finds whether something lasted long enough.
func atLeast(lasted, least time.Duration) finding {
	return finding{fmt.Sprintf("%s s, at least %s s", rounded(lasted.Seconds()), rounded(least.Seconds())), lasted >= least}
}

// rounded shows one digit after the point, and none of a count.
func rounded(figure float64) string {
	return strconv.FormatFloat(math.Round(figure*10)/10, 'f', -1, 64)
}

// holds notes what was found, and fails the test when any of it is not as it must be.
func (r *record) holds(t testing.TB, step string, findings ...finding) {
	t.Helper()
	verdict := "ok"
	var words []string
	for _, f := range findings {
		words = append(words, f.measured)
		if !f.ok {
			verdict = "FAILED"
			t.Errorf("%s: %s", step, f.measured)
		}
	}
	r.note(t, step, strings.Join(words, "; "), "", verdict)
}

// says notes a figure that has no bound.
func (r *record) says(t testing.TB, step, result string) {
	t.Helper()
	r.note(t, step, result, "", "ok")
}

// notRun notes a step that this kind of cluster can't show.
func (r *record) notRun(t testing.TB, step, why string) {
	t.Helper()
	r.note(t, step, why, "", "NOT RUN")
}

func (r *record) note(t testing.TB, step, measured, bound, verdict string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if scenario, taken := r.names[step]; taken {
		t.Errorf("two steps are called %q: one of %s and one of %s", step, scenario, t.Name())
	}
	if r.names == nil {
		r.names = map[string]string{}
	}
	r.names[step] = t.Name()
	at := time.Since(r.began)
	t.Logf("%6.1fs %-7s %s: %s %s", at.Seconds(), verdict, step, measured, bound)
	r.rows = append(r.rows, fmt.Sprintf("%6.1fs\t%s\t%s\t%s\t%s\t%s", at.Seconds(), t.Name(), step, measured, bound, verdict))
}

// write shows the table, and keeps it in the folder.
func (r *record) write(out io.Writer, dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, err := os.Create(filepath.Join(dir, "steps.txt"))
	if err != nil {
		return err
	}
	defer kept.Close()
	table := tabwriter.NewWriter(io.MultiWriter(out, kept), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "at\tscenario\tstep\tmeasured\tbound\tverdict")
	for _, row := range r.rows {
		fmt.Fprintln(table, row)
	}
	fmt.Fprintf(table, "%6.1fs\tall\n", time.Since(r.began).Seconds())
	return table.Flush()
}
