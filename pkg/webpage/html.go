package webpage

import (
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/reims/reims-health/pkg/health"
)

// pageSigns are drawn once and used by name: the state's class.
const pageSigns = `<svg class="signs" aria-hidden="true">` +
	`<symbol id="healthy" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.2"/><path class="mark" d="M4.8 8.3l2.2 2.2 4.2-4.6"/></symbol>` +
	`<symbol id="degraded" viewBox="0 0 16 16"><path class="round" d="M8 1.2 15.4 14.4H.6z"/><path class="mark" d="M8 6v3.6M8 11.9v.1"/></symbol>` +
	`<symbol id="unhealthy" viewBox="0 0 16 16"><path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z"/><path class="mark" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/></symbol>` +
	`<symbol id="unknown" viewBox="0 0 16 16"><circle class="hollow" cx="8" cy="8" r="6.4"/></symbol></svg>`

// reloadWithoutScript has no effect where there is script.
const reloadWithoutScript = `<noscript><meta http-equiv="refresh" content="5"></noscript>`

// Document is one page as HTML. The library escapes text and attributes; only the constants
// of this package are written as they are.
type Document struct {
	Title string // of the browser's tab
	Icon  string // the link of the icon that tells the state
	Links Links
	// From is who the page is from, for the script; empty for the sidecar.
	From string
	// Period is the time between two looks of the script in milliseconds; 0 for 2000.
	Period int
}

// HTML returns the document with what its body holds.
func (d Document) HTML(body ...g.Node) g.Node {
	return h.Doctype(h.HTML(
		h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(d.Title)),
			h.Link(h.Rel("icon"), h.Href(d.Icon), g.Attr("data-lost", d.Links.Icons["unknown"])),
			h.Link(h.Rel("stylesheet"), h.Href(d.Links.Style)),
			g.Raw(reloadWithoutScript),
			h.Script(h.Src(d.Links.Script), h.Defer()),
		),
		h.Body(
			g.If(d.From != "", g.Attr("data-from", d.From)),
			g.If(d.Period != 0, g.Attr("data-period", strconv.Itoa(d.Period))),
			g.Raw(pageSigns),
			g.Group(body),
		),
	))
}

// State is a verdict: Class is its name in the style sheet and of its sign.
type State struct{ Class, Word string }

// StateOf is that of a status.
func StateOf(s health.Status) State { return State{s.String(), Capital(s.String())} }

// CardClass is the class of the card of a service. A card that fills its row is as wide as two.
func CardClass(s State, fills bool) string {
	if fills {
		return "service " + s.Class + " fills"
	}
	return "service " + s.Class
}

// Sign draws the state.
func (s State) Sign() g.Node {
	return g.El("svg", h.Class("sign"), g.Attr("viewBox", "0 0 16 16"), h.Aria("hidden", "true"),
		g.El("use", h.Href("#"+s.Class)))
}

// HTML is the moment as an element.
func (m Moment) HTML() g.Node { return h.Time(h.DateTime(m.ISO), h.Title(m.Full), g.Text(m.Text)) }

// Was is where the style sheet says "was" once nothing was heard from the sidecar for too long.
// It holds no text, as a browser without style sheets would show it at once.
func Was() g.Node { return h.Span(h.Class("was")) }

// Age is seen until then.
func Age(text string) g.Node { return h.Span(h.Class("age"), g.Text(text)) }

// ListRole is for Safari, which takes a list without marks for none.
func ListRole() g.Node { return h.Role("list") }

// Unseen is for screen readers.
func Unseen(text string) g.Node { return h.Span(h.Class("hidden"), g.Text(text)) }
