package faults_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// add notes the outcome of a cell. In a whole run it is shown at once.
func (r *report) add(key string, c *cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[key] = c.got
	for _, problem := range c.got.problems {
		c.t.Errorf("%s", problem)
	}
	if *whole {
		fmt.Fprintf(os.Stdout, "%3d of %d  %s: %s\n", len(r.outcomes), len(r.cells)-len(r.left), key, c.got.text())
	}
}

func (o outcome) text() string {
	switch {
	case len(o.problems) > 0:
		return "WRONG: " + strings.Join(o.problems, "; ")
	case o.status == "healthy" && o.first > 0:
		return "healthy, after one failed check"
	case o.status == "healthy":
		return "healthy"
	}
	return fmt.Sprintf("%s; first failed check after %s, verdict after %s, back after %s", o.verdict, seconds(o.first), seconds(o.confirmed), seconds(o.recovered))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// print shows the table, and fails the test unless every cell is right.
func (r *report) print(t *testing.T) {
	t.Helper()
	var out io.Writer = os.Stdout
	var text strings.Builder
	if !*whole {
		out = &text
	}
	grid := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(grid, "\t%s\n", strings.Join(r.kinds, "\t"))
	right := 0
	for _, fault := range r.faults {
		fields := []string{fault}
		for _, kind := range r.kinds {
			o, tried := r.outcomes[kind+"/"+fault]
			switch {
			case !tried && r.left[kind+"/"+fault] != "":
				fields = append(fields, "left out")
			case !tried && why(kind, fault) != "" && r.cells[kind+"/"+fault] == verdict{}:
				fields = append(fields, "-")
			case !tried && !*whole:
				fields = append(fields, "(make faults)")
			case !tried:
				fields = append(fields, "NOT TRIED")
			case len(o.problems) > 0:
				fields = append(fields, "WRONG")
			default:
				right++
				fields = append(fields, o.short())
			}
		}
		fmt.Fprintln(grid, strings.Join(fields, "\t"))
	}
	_ = grid.Flush()
	all := len(r.kinds) * len(r.faults)
	fmt.Fprintf(out, "\n%d of %d cells are right; %d of %d have no meaning", right, len(r.cells)-r.skipped, all-len(r.cells), all)
	if r.skipped > 0 {
		fmt.Fprintf(out, "; %d are tried by make faults only", r.skipped)
	}
	fmt.Fprint(out, "\nEach cell: the reason, and the seconds to the verdict and back.\n\n")
	r.notes(out)
	t.Log("\n" + text.String())
	if right+len(r.left)+r.skipped != len(r.cells) && !t.Failed() {
		t.Error("not all cells were tried")
	}
}

// short is the reason, and the times to the verdict and back.
func (o outcome) short() string {
	if o.status == "healthy" {
		return "healthy"
	}
	mark := ""
	if o.status == "degraded" {
		mark = " (degraded)"
	}
	return fmt.Sprintf("%s%s %.1f/%.1f", o.reason, mark, o.confirmed.Seconds(), o.recovered.Seconds())
}

// notes says why cells have no meaning, and what was left out.
func (r *report) notes(out io.Writer) {
	for _, kind := range r.kinds {
		reasons := map[string][]string{}
		for _, fault := range r.faults {
			if r.cells[kind+"/"+fault] == (verdict{}) {
				reasons[why(kind, fault)] = append(reasons[why(kind, fault)], fault)
			}
		}
		for reason, faults := range reasons {
			fmt.Fprintf(out, "- %s, %s: %s\n", kind, strings.Join(faults, "; "), reason)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.left)) {
		fmt.Fprintf(out, "LEFT OUT %s: %s\n", key, r.left[key])
	}
}
