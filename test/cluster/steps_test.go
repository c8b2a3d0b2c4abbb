//go:build e2e

package cluster_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

var steps = &record{began: time.Now()}

// record is the table of what was measured. Its methods may be called concurrently.
type record struct {
	began time.Time
	mu    sync.Mutex
	rows  []string
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
		t.Errorf("%s: %.1f %s, bound %.1f %s", step, measured, unit, bound, unit)
	}
	r.note(t, step, fmt.Sprintf("%.1f %s", measured, unit), fmt.Sprintf("<= %.1f %s", bound, unit), verdict)
}

// holds notes what must be so, and fails the test when it is not.
func (r *record) holds(t testing.TB, step string, so bool) {
	t.Helper()
	if !so {
		t.Errorf("%s: not so", step)
		r.note(t, step, "not so", "", "FAILED")
		return
	}
	r.note(t, step, "so", "", "ok")
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
