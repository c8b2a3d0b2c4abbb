package display

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/check"
)

// Check writes the line of one check, and what is wrong with its answer below. Longest
// is the length of the longest path that there will be.
func (p *Printer) Check(c check.Check, longest int) {
	code := "-"
	if c.Code != 0 {
		code = strconv.Itoa(c.Code)
	}
	left := fmt.Sprintf("%sGET %-*s  %3s  %9s  ", verdictText(c.Verdict), longest, c.Path, code, ms(c.TimeMS))
	notes := check.NonEmpty(check.Shorten(c.Note))
	for _, problem := range c.Problems {
		notes = append(notes, red().Render(problem))
	}
	p.beside(left, notes...)
}

// Summary writes the last line of a run.
func (p *Printer) Summary(r *check.Report) {
	parts := []string{fmt.Sprintf("%d passed", r.Passed)}
	if r.Degraded > 0 {
		parts = append(parts, yellow().Render(fmt.Sprintf("%d passed degraded", r.Degraded)))
	}
	failed := fmt.Sprintf("%d failed", r.Failed)
	if r.Failed > 0 {
		failed = red().Render(failed)
	}
	p.line()
	p.line(fmt.Sprintf("%d checks of %s in %s: ", len(r.Checks), r.URL, ms(r.TimeMS)), strings.Join(append(parts, failed), ", "))
}
