package statuspage

import (
	"fmt"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// The page as HTML. The library escapes text and attributes; only the constants below are
// written as they are.

// pageSigns are drawn once and used by name: the state's class.
const pageSigns = `<svg class="signs" aria-hidden="true">` +
	`<symbol id="healthy" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7.2"/><path class="mark" d="M4.8 8.3l2.2 2.2 4.2-4.6"/></symbol>` +
	`<symbol id="degraded" viewBox="0 0 16 16"><path class="round" d="M8 1.2 15.4 14.4H.6z"/><path class="mark" d="M8 6v3.6M8 11.9v.1"/></symbol>` +
	`<symbol id="unhealthy" viewBox="0 0 16 16"><path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z"/><path class="mark" d="M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2"/></symbol>` +
	`<symbol id="unknown" viewBox="0 0 16 16"><circle class="hollow" cx="8" cy="8" r="6.4"/></symbol></svg>`

// reloadWithoutScript has no effect where there is script.
const reloadWithoutScript = `<noscript><meta http-equiv="refresh" content="5"></noscript>`

func (v *viewModel) html() g.Node {
	return h.Doctype(h.HTML(
		h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(v.Title)),
			h.Link(h.Rel("icon"), h.Href(v.Icon), g.Attr("data-lost", v.Icons["unknown"])),
			h.Link(h.Rel("stylesheet"), h.Href(v.Style)),
			g.Raw(reloadWithoutScript),
			h.Script(h.Src(v.Script), h.Defer()),
		),
		h.Body(
			g.Raw(pageSigns),
			h.A(h.Class("skip"), h.Href("#services"), g.Text("Skip to the services")),
			v.top(),
			h.Main(v.overall(), v.services(), v.changes()),
			v.footer(),
		),
	))
}

func (v *viewModel) top() g.Node {
	return h.Header(
		h.P(h.Class("lost"), h.Strong(g.Text("Last heard from the sidecar at "), v.AsOf.html(), g.Text(" UTC.")),
			g.Text(" What follows is what it said then; it may no longer be true.")),
		h.Div(h.Class("top"),
			h.P(h.Class("brand"), h.Img(h.Src(v.Brand), h.Alt(""), h.Width("20"), h.Height("20")), g.Text("reims-health"),
				g.If(v.Whose != "", h.Span(h.Class("whose"), g.Text(v.Whose)))),
			h.P(h.Class("asof"), g.Text("as of "), v.AsOf.html(), g.Text(" UTC"),
				h.Span(h.Class("watching"), g.Text("watching since "), v.Since.html())),
		),
	)
}

// overall is the part that is read out when it changes: the verdict, and readiness.
func (v *viewModel) overall() g.Node {
	return h.Section(
		h.Class("overall "+v.State.Class), h.Aria("labelledby", "overall"),
		h.Div(
			h.Class("verdict"), v.State.sign(),
			h.H1(h.ID("overall"), h.Aria("live", "polite"), h.Aria("atomic", "true"), unseen("Overall: "), was(), g.Text(v.State.Word)),
			h.P(h.Class("summary"), g.Text(v.Summary)),
		),
		h.Div(
			h.Class("ready "+v.Ready.State.Class), v.Ready.State.sign(),
			h.H2(h.Aria("live", "polite"), h.Aria("atomic", "true"), was(), g.Text(v.Ready.State.Word)),
			h.P(h.Class("summary"), g.Text(v.Ready.Text)),
			g.If(len(v.Ready.Causes) > 0, h.Ul(h.Class("causes"), listRole(), g.Map(v.Ready.Causes, func(c causeView) g.Node {
				return h.Li(h.B(g.Text(c.Source)), g.Text(": "+c.Text))
			}))),
		),
		g.If(v.Ready.Held != "", h.P(h.Class("held degraded"), states["degraded"].sign(), h.Span(g.Text(v.Ready.Held)))),
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

// strip shows the state of every service in a line, and leads to its card.
func (v *viewModel) strip() g.Node {
	if len(v.Services) < 2 {
		return nil
	}
	return h.Nav(h.Class("strip"), h.Aria("label", "States of the services"), h.Ul(listRole(), g.Map(v.Services, func(s serviceView) g.Node {
		word := h.Span(h.Class("word"), g.Text(" "), was(), g.Text(s.State.Word))
		if s.State == states["healthy"] {
			word = h.Span(h.Class("hidden"), g.Text(" "), was(), g.Text(s.State.Word))
		}
		return h.Li(h.ID("to-"+s.Name), h.Class(s.State.Class),
			h.A(h.Href("#service-"+s.Name), s.State.sign(), h.Span(h.Class("title"), g.Text(s.Title)), word))
	})))
}

func (v *viewModel) changes() g.Node {
	list := h.P(h.Class("earlier"), g.Text("None."))
	if len(v.Changes) > 0 {
		list = h.Ol(listRole(), g.Map(v.Changes, changeView.html))
	}
	return h.Section(
		h.Class("changes"), h.Aria("labelledby", "changes-title"),
		h.H2(h.ID("changes-title"), g.Text("Changes in the last hour")), list,
		g.If(v.Earlier > 0, h.P(h.Class("earlier"), g.Textf("%d earlier: ", v.Earlier),
			h.A(h.Href("health/history"), g.Text("health/history")))),
	)
}

func (c changeView) html() g.Node {
	what := g.Group{g.Text(c.From.Word + " "), h.Span(h.Aria("hidden", "true"), g.Text("→")), unseen("to"), g.Text(" " + c.To.Word)}
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
		h.Class(c.To.Class), c.At.html(), c.To.sign(),
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
		h.P(g.Text("Times are UTC. The latest result came in at "), v.Latest.html(),
			g.Text(". This page refreshes itself; looking at it causes no check."+withheld[v.Details])),
		h.Nav(h.Aria("label", "As JSON"), g.Text("As JSON: "),
			link("health", "health"), g.Text(" "), link("health/ready", "ready"), g.Text(" "), link("health/history", "history")),
	)
}

func (s state) sign() g.Node {
	return g.El("svg", h.Class("sign"), g.Attr("viewBox", "0 0 16 16"), h.Aria("hidden", "true"),
		g.El("use", h.Href("#"+s.Class)))
}

func (m moment) html() g.Node { return h.Time(h.DateTime(m.ISO), h.Title(m.Full), g.Text(m.Text)) }

// was is where the style sheet says "was" once nothing was heard from the sidecar for too long.
// It holds no text, as a browser without style sheets would show it at once.
func was() g.Node { return h.Span(h.Class("was")) }

// age is seen until then.
func age(text string) g.Node { return h.Span(h.Class("age"), g.Text(text)) }

// listRole is for Safari, which takes a list without marks for none.
func listRole() g.Node { return h.Role("list") }

// unseen is for screen readers.
func unseen(text string) g.Node { return h.Span(h.Class("hidden"), g.Text(text)) }

// reason leads to the text on it, where there is one.
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
		h.ID("service-"+s.Name), h.Class("service "+s.State.Class), h.Aria("labelledby", id),
		h.Header(
			h.H3(h.ID(id), h.A(h.Href("health/"+s.Name), h.Title("As JSON"), g.Text(s.Title))),
			h.P(h.Class("policy"), g.Text(s.Policy)),
			h.P(h.Class("state"), s.State.sign(), h.Span(was(), g.Text(s.State.Word))),
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

// collapsible lets readers hide what the checks saw. The script keeps what they chose while
// the class, which is the state's, stays the same.
func (s serviceView) collapsible(seen g.Node) g.Node {
	if !s.Collapsible {
		return seen
	}
	return h.Details(h.Class("seen "+s.State.Class), g.If(!s.Collapsed, g.Attr("open")),
		h.Summary(g.Text("Details"), unseen(" of "+s.Title)), seen)
}

func (s serviceView) since() g.Node {
	if s.Since == nil {
		return nil
	}
	return h.P(h.Class("since"), age("for "+s.For+", "), g.Text("since "), s.Since.html())
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
		return h.Div(h.Dt(g.Text(f.Label)), h.Dd(f.At.html(), age(", "+f.Value)))
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

// html covers the hint's stretch from top to bottom.
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
