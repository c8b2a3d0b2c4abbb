package statuspage

import (
	"fmt"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/reims/reims-health/pkg/webpage"
)

// The page as HTML. The library escapes text and attributes; only the constants below are
// not escaped.

func (v *viewModel) html() g.Node {
	return webpage.Document{Title: v.Title, Icon: v.Icon, Links: v.Links}.HTML(
		h.A(h.Class("skip"), h.Href("#services"), g.Text("Skip to the services")),
		v.top(),
		h.Main(v.overall(), v.services(), v.changes()),
		v.footer(),
	)
}

func (v *viewModel) top() g.Node {
	return h.Header(
		h.P(h.Class("lost"), h.Strong(g.Text("Last heard from the sidecar at "), v.AsOf.HTML(), g.Text(" UTC.")),
			g.Text(" What follows is what it said then; it may no longer be true.")),
		h.Div(h.Class("top"),
			h.P(h.Class("brand"), h.Img(h.Src(v.Brand), h.Alt(""), h.Width("20"), h.Height("20")), g.Text("reims-health"),
				g.If(v.Instance != "", h.Span(h.Class("whose"), g.Text(v.Instance)))),
			h.P(h.Class("asof"), g.Text("as of "), v.AsOf.HTML(), g.Text(" UTC"),
				h.Span(h.Class("watching"), g.Text("watching since "), v.Since.HTML())),
		),
	)
}

// overall returns the part that screen readers read out when it changes: the status and readiness.
func (v *viewModel) overall() g.Node {
	return h.Section(
		h.Class("overall "+v.State.Class), h.Aria("labelledby", "overall"),
		h.Div(
			h.Class("verdict"), v.State.Sign(),
			h.H1(h.ID("overall"), h.Aria("live", "polite"), h.Aria("atomic", "true"), webpage.Unseen("Overall: "), webpage.Was(), g.Text(v.State.Word)),
			h.P(h.Class("summary"), g.Text(v.Summary)),
		),
		h.Div(
			h.Class("ready "+v.Ready.State.Class), v.Ready.State.Sign(),
			h.H2(h.Aria("live", "polite"), h.Aria("atomic", "true"), webpage.Was(), g.Text(v.Ready.State.Word)),
			h.P(h.Class("summary"), g.Text(v.Ready.Text)),
			g.If(len(v.Ready.Causes) > 0, h.Ul(h.Class("causes"), webpage.ListRole(), g.Map(v.Ready.Causes, func(c causeView) g.Node {
				return h.Li(h.B(g.Text(c.Source)), g.Text(": "+c.Text))
			}))),
		),
		g.If(v.Ready.Held != "", h.P(h.Class("held degraded"), states["degraded"].Sign(), h.Span(g.Text(v.Ready.Held)))),
		g.If(v.Stopped != "", h.P(h.Class("stopped"),
			h.B(g.Textf("This sidecar’s own scheduler has not run for %s.", v.Stopped)), g.Text(" Nothing here is news."))),
	)
}

func (v *viewModel) services() g.Node {
	return h.Section(
		h.ID("services"), h.TabIndex("-1"), h.Aria("labelledby", "services-title"),
		h.H2(h.Class("hidden"), h.ID("services-title"), g.Text("Services")),
		v.strip(),
		h.Div(h.Class("services"), g.Map(v.Services, func(s serviceView) g.Node { return s.html(v.Span) })),
	)
}

// strip returns the line with the state of every service and links to the cards.
func (v *viewModel) strip() g.Node {
	if len(v.Services) < 2 {
		return nil
	}
	return h.Nav(h.Class("strip"), h.Aria("label", "States of the services"), h.Ul(webpage.ListRole(), g.Map(v.Services, func(s serviceView) g.Node {
		word := h.Span(h.Class("word"), g.Text(" "), webpage.Was(), g.Text(s.State.Word))
		if s.State == states["healthy"] {
			word = h.Span(h.Class("hidden"), g.Text(" "), webpage.Was(), g.Text(s.State.Word))
		}
		return h.Li(h.ID("to-"+s.Name), h.Class(s.State.Class),
			h.A(h.Href("#service-"+s.Name), s.State.Sign(), h.Span(h.Class("title"), g.Text(s.Title)), word))
	})))
}

func (v *viewModel) changes() g.Node {
	list := h.P(h.Class("earlier"), g.Text("None."))
	if len(v.Changes) > 0 {
		list = h.Ol(webpage.ListRole(), g.Map(v.Changes, changeView.html))
	}
	return h.Section(
		h.Class("changes"), h.Aria("labelledby", "changes-title"),
		h.H2(h.ID("changes-title"), g.Text("Changes in the last hour")), list,
		g.If(v.Earlier > 0, h.P(h.Class("earlier"), g.Textf("%d earlier: ", v.Earlier),
			h.A(h.Href("health/history"), g.Text("health/history")))),
	)
}

func (c changeView) html() g.Node {
	what := g.Group{g.Text(c.From.Word + " "), h.Span(h.Aria("hidden", "true"), g.Text("→")), webpage.Unseen("to"), g.Text(" " + c.To.Word)}
	switch {
	case c.Same:
		what = g.Group{g.Text("still " + c.To.Word + ", for another reason")}
	case c.First:
		what = g.Group{g.Text("first result: " + c.To.Word)}
	case c.Lasted != "" && (c.To == states["healthy"] || c.To == states["ready"]):
		what = append(what, g.Text(" again after "+c.Lasted))
	case c.Lasted != "":
		what = append(what, g.Text(" after "+c.Lasted))
	}
	return h.Li(
		h.Class(c.To.Class), c.At.HTML(), c.To.Sign(),
		h.P(h.B(g.Text(c.Subject)), g.Text(" "), what, g.If(c.Reason != "", g.Group{g.Text(" "), reason(c.Reason, c.Docs)}), more(c.Words)),
	)
}

func (v *viewModel) footer() g.Node {
	withheld := map[Details]string{
		Safe: " Names and versions are withheld (HEALTH_DETAILS or HEALTH_PAGE_DETAILS is safe).",
		Off:  " Reasons and figures are withheld (HEALTH_DETAILS or HEALTH_PAGE_DETAILS is off).",
	}
	link := func(path, text string) g.Node { return h.A(h.Href(path), g.Text(text)) }
	return h.Footer(
		h.P(g.Text("Times are UTC. The latest result came in at "), v.Latest.HTML(),
			g.Text(". This page refreshes itself; looking at it causes no check."+withheld[v.Details])),
		h.Nav(h.Aria("label", "As JSON"), g.Text("As JSON: "),
			link("health", "health"), g.Text(" "), link("health/ready", "ready"), g.Text(" "), link("health/history", "history")),
	)
}

// reason returns a reason, with a link to its documentation if there is one.
func reason(name, docs string) g.Node {
	code := h.Code(g.Text(name))
	if docs == "" {
		return code
	}
	return h.A(h.Href(docs), h.Title("What to do about it"), code)
}

func more(text string) g.Node {
	return g.If(text != "", g.Group{g.Text(" "), h.Span(h.Class("more"), g.Text(text))})
}

func (s serviceView) html(span string) g.Node {
	id := "title-" + s.Name
	return h.Article(
		h.ID("service-"+s.Name), h.Class(webpage.CardClass(s.State, s.Fills)), h.Aria("labelledby", id),
		h.Header(
			h.H3(h.ID(id), h.A(h.Href("health/"+s.Name), h.Title("As JSON"), g.Text(s.Title))),
			h.P(h.Class("policy"), g.Text(s.Policy)),
			h.P(h.Class("state"), s.State.Sign(), h.Span(webpage.Was(), g.Text(s.State.Word))),
			s.since(),
		),
		s.Trouble.html(),
		s.collapsible(g.Group{
			g.If(len(s.Figures) > 0, g.Group{
				h.Dl(h.Class("figures"), g.Map(s.Figures, figure.html)),
				h.P(h.Class("span"), g.Text("p50, p99 and slowest of the last "+span)),
			}),
			g.If(s.Silence != "", h.P(h.Class("silence"), g.Text(s.Silence))),
			s.Chart.html(span),
			g.Map(s.Bars, bar.html),
			g.If(len(s.Facts) > 0, h.Dl(h.Class("facts"), g.Map(s.Facts, fact.html))),
		}),
	)
}

// collapsible returns the details in an element that can be closed. The script keeps the reader's choice while
// the class, which is that of the state, stays the same.
func (s serviceView) collapsible(seen g.Node) g.Node {
	if !s.Collapsible {
		return seen
	}
	return h.Details(h.Class("seen "+s.State.Class), g.If(!s.Collapsed, g.Attr("open")),
		h.Summary(g.Text("Details"), webpage.Unseen(" of "+s.Title)), seen)
}

func (s serviceView) since() g.Node {
	if s.Since == nil {
		return nil
	}
	return h.P(h.Class("since"), webpage.Age("for "+s.For+", "), g.Text("since "), s.Since.HTML())
}

func (t *troubleView) html() g.Node {
	if t == nil {
		return nil
	}
	return h.P(h.Class("trouble"), reason(t.Reason, t.Docs), g.Text(" "+t.Words), more(t.More),
		g.If(t.Scope != "", h.Span(h.Class("scope"), g.Text(t.Scope))),
		g.If(t.Next != "", h.Span(h.Class("next"), h.B(g.Text("Next step: ")), g.Text(t.Next))))
}

func (f figure) html() g.Node {
	return h.Div(h.Dt(g.Text(f.Label)), h.Dd(g.Text(f.Value)))
}

func (f fact) html() g.Node {
	if f.At != nil {
		return h.Div(h.Dt(g.Text(f.Label)), h.Dd(f.At.HTML(), webpage.Age(", "+f.Value)))
	}
	return h.Div(g.If(f.Wide, h.Class("wide")), h.Dt(g.Text(f.Label)), h.Dd(g.If(f.Name, h.Class("name")), g.Text(f.Value)))
}

func (c *chart) html(span string) g.Node {
	if c == nil {
		return nil
	}
	path := func(class, d string) g.Node { return g.If(d != "", g.El("path", h.Class(class), g.Attr("d", d))) }
	class, box := "chart", "0 0 600 58"
	if c.Verdicts {
		class, box = "chart verdicts", "0 48 600 10"
	}
	return h.Figure(
		h.Class(class),
		g.If(c.Max != "", h.P(h.Class("max"), h.Aria("hidden", "true"), g.Text(c.Max))),
		g.El("svg", g.Attr("viewBox", box), g.Attr("preserveAspectRatio", "none"), h.Role("img"), h.Aria("label", c.Label),
			path("area", c.Area), path("line", c.Line),
			g.Map(c.Bands, func(b band) g.Node { return path("band "+b.Class, b.Path) }),
			g.El("g", h.Class("hints"), g.Map(c.Hints, hint.html))),
		h.FigCaption(h.Aria("hidden", "true"), h.Span(g.Text(span+" ago")),
			g.If(c.Uptime != "", h.Span(h.Class("uptime"), g.Text("up "+c.Uptime))), h.Span(g.Text("now"))),
	)
}

// html returns an invisible area over the hint's segment, from top to bottom.
func (t hint) html() g.Node {
	d := fmt.Sprintf("M%d 0h%dv58h-%dz", t.From*stepWidth, t.Steps*stepWidth, t.Steps*stepWidth)
	return g.El("path", g.Attr("d", d), g.El("title", g.Text(t.Text)))
}

func (b bar) html() g.Node {
	stretch := func(class string, x, width float64) g.Node {
		return g.El("rect", h.Class(class), g.Attr("x", number(x)), h.Width(number(width)), h.Height("6"))
	}
	return h.Div(
		h.Class("bar"),
		h.P(h.Span(g.Text(b.Label)), g.Text(" "), h.B(g.Text(b.Text))),
		g.El("svg", g.Attr("viewBox", "0 0 100 6"), g.Attr("preserveAspectRatio", "none"), h.Aria("hidden", "true"),
			stretch("track", 0, 100),
			g.Map(b.Parts, func(p part) g.Node { return stretch("shade-"+strconv.Itoa(p.Shade), p.X, p.Width) })),
	)
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
