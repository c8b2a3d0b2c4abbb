package page

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Diagram has Mermaid draw a diagram in a tab, and returns it as SVG. What Mermaid cannot read
// is an error.
func Diagram(tab context.Context, text string) (svg string, err error) {
	source, err := fromNPM(tab, "@mermaid-js/tiny", "dist/mermaid.tiny.js")
	if err != nil {
		return "", err
	}
	if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](source)); err != nil {
		return "", err
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return "", err
	}
	type result struct{ SVG, Error string }
	r, err := chromedp.Run(tab, chromedp.Evaluate[result](
		fmt.Sprintf(`mermaid.render("diagram", %s).then(r => ({svg: r.svg}), e => ({error: String(e)}))`, quoted),
		func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) },
	))
	if err == nil && r.Error != "" {
		err = fmt.Errorf("draw the diagram: %s", r.Error)
	}
	return r.SVG, err
}
