package page

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Violations runs axe-core, with all its rules, on what a tab shows.
func Violations(tab context.Context) ([]string, error) {
	source, err := fromNPM(tab, "axe-core", "axe.min.js")
	if err != nil {
		return nil, err
	}
	if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](source)); err != nil {
		return nil, err
	}
	type result struct {
		Passes     int
		Violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
	}
	r, err := chromedp.Run(tab, chromedp.Evaluate[result](
		`axe.run().then(r => ({passes: r.passes.length, violations: r.violations}))`,
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) },
	))
	if err != nil {
		return nil, err
	}
	if r.Passes < 10 {
		return nil, errors.New("axe-core hardly found anything to check")
	}
	var found []string
	for _, v := range r.Violations {
		for _, n := range v.Nodes {
			found = append(found, fmt.Sprintf("%s (%s): %s: %s", v.ID, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " ")))
		}
	}
	return found, nil
}
