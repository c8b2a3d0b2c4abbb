package statuspage

import (
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

func (s serviceView) markup(span string) g.Node {
	id := "service-" + s.Name
	return h.Article(
		h.Class("service "+s.State.Class), h.Aria("labelledby", id),
		h.Header(
			h.H3(h.ID(id), h.A(h.Href("health/"+s.Name), h.Title("As JSON"), g.Text(s.Title))),
			h.P(h.Class("policy"), g.Text(s.Policy)),
			h.P(h.Class("state"), s.State.sign(), g.Text(s.State.Word)),
			s.since(),
		),
		s.Trouble.markup(),
		g.If(len(s.Figures) > 0, g.Group{
			h.Dl(h.Class("figures"), g.Map(s.Figures, figure.markup)),
			h.P(h.Class("span"), g.Text("p50, p99 and slowest of the last "+span)),
		}),
		s.Chart.markup(span),
		g.Map(s.Bars, bar.markup),
		g.If(len(s.Facts) > 0, h.Dl(h.Class("facts"), g.Map(s.Facts, fact.markup))),
	)
}

func (s serviceView) since() g.Node {
	if s.Since == nil {
		return nil
	}
	return h.P(h.Class("since"), g.Text("for "+s.For+", since "), s.Since.markup())
}

func (t *troubleView) markup() g.Node {
	if t == nil {
		return nil
	}
	return h.P(h.Class("trouble"), h.Code(g.Text(t.Reason)), g.Text(" "+t.Words), more(t.More))
}

func (f figure) markup() g.Node {
	value := g.Group{g.Text(f.Value)}
	if f.Value == "" {
		value = g.Group{h.Span(h.Aria("hidden", "true"), g.Text("–")), unseen("none")}
	}
	return h.Div(h.Dt(g.Text(f.Label)), h.Dd(value))
}

func (f fact) markup() g.Node {
	return h.Div(h.Dt(g.Text(f.Label)), h.Dd(g.If(f.Name, h.Class("name")), g.Text(f.Value)))
}

func (c chart) markup(span string) g.Node {
	path := func(class, d string) g.Node { return g.If(d != "", g.El("path", h.Class(class), g.Attr("d", d))) }
	class, box := "chart", "0 0 600 58"
	if c.Verdicts {
		class, box = "chart verdicts", "0 48 600 10"
	}
	return h.Figure(
		h.Class(class),
		g.El("svg", g.Attr("viewBox", box), g.Attr("preserveAspectRatio", "none"), h.Role("img"), h.Aria("label", c.Label),
			path("area", c.Area), path("line", c.Line),
			g.Map(c.Bands, func(b band) g.Node { return path("band "+b.Class, b.Path) })),
		h.FigCaption(h.Aria("hidden", "true"), h.Span(g.Text(span+" ago")), h.Span(g.Text("now"))),
	)
}

func (b bar) markup() g.Node {
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
