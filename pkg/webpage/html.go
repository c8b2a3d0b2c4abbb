package webpage

import (
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/reims/reims-health/pkg/health"
)

// pageSigns are the symbols of the states. Pages use them by name, which is the state's class.
const pageSigns = `<svg class="signs" aria-hidden="true">` +
	`<symbol id="healthy" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.2"/><path class="mark" d="M4.8 8.3l2.2 2.2 4.2-4.6"/></symbol>` +
	`<symbol id="degraded" viewBox="0 0 16 16"><path class="round" d="M8 1.2 15.4 14.4H.6z"/><path class="mark" d="M8 6v3.6M8 11.9v.1"/></symbol>` +
	`<symbol id="unhealthy" viewBox="0 0 16 16"><path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z"/><path class="mark" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/></symbol>` +
	`<symbol id="unknown" viewBox="0 0 16 16"><circle class="hollow" cx="8" cy="8" r="6.4"/></symbol></svg>`

// reloadWithoutScript reloads the page in browsers without script.
const reloadWithoutScript = `<noscript><meta http-equiv="refresh" content="5"></noscript>`

// Document is an HTML page. The library escapes text and attributes; only the constants
// of this package are not escaped.
type Document struct {
	Title string // of the browser's tab
	Icon  string // the link of the icon that tells the state
	Links Links
	// From names the program in the script's messages; empty means the sidecar.
	From string
	// Period is the time between two refreshes by the script in milliseconds; 0 means 2000.
	Period int
}

// HTML returns the document with the given body.
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

// State is a state as a page shows it. Class is its name in the style sheet and that of its symbol.
type State struct{ Class, Word string }

// StateOf returns the state of a status.
func StateOf(s health.Status) State { return State{s.String(), Capital(s.String())} }

// CardClass returns the class of a service's card. A card that fills its row is as wide as two.
func CardClass(s State, fills bool) string {
	if fills {
		return "service " + s.Class + " fills"
	}
	return "service " + s.Class
}

// Sign returns the symbol of the state.
func (s State) Sign() g.Node {
	return g.El("svg", h.Class("sign"), g.Attr("viewBox", "0 0 16 16"), h.Aria("hidden", "true"),
		g.El("use", h.Href("#"+s.Class)))
}

// HTML returns the moment as an element.
func (m Moment) HTML() g.Node { return h.Time(h.DateTime(m.ISO), h.Title(m.Full), g.Text(m.Text)) }

// Was is an element in which the style sheet shows "was" after the page has had no response for too long.
// It has no text, since a browser without style sheets would always show it.
func Was() g.Node { return h.Span(h.Class("was")) }

// Age is an element that is visible until then.
func Age(text string) g.Node { return h.Span(h.Class("age"), g.Text(text)) }

// ListRole makes Safari treat a list without bullets as a list.
func ListRole() g.Node { return h.Role("list") }

// Unseen is text only for screen readers.
func Unseen(text string) g.Node { return h.Span(h.Class("hidden"), g.Text(text)) }
