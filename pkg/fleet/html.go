package fleet

import (
	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/reims/reims-health/pkg/webpage"
)

const (
	// from names this program in the message that the script shows when it gets no response.
	from = "the fleet program"
	// period is the time between two refreshes by the script, in milliseconds.
	period = 4000
)

func (v *viewModel) html() g.Node {
	return webpage.Document{Title: v.Title, Icon: v.Icons[v.State.Class], Links: v.Links, From: from, Period: period}.HTML(
		h.A(h.Class("skip"), h.Href("#workloads"), g.Text("Skip to the workloads")),
		v.top(),
		h.Main(
			v.crumb(),
			v.overall(),
			h.Section(h.ID("workloads"), h.TabIndex("-1"), h.Aria("labelledby", "workloads-title"),
				h.H2(h.Class("hidden"), h.ID("workloads-title"), g.Text("Workloads")),
				g.Map(v.Workloads, func(w workloadView) g.Node { return w.html(v) }),
				g.If(v.Omitted != "", h.P(h.Class("left"), g.Text(v.Omitted)))),
		),
		footer(v.Root+"api/v1/workloads", "workloads"),
	)
}

// crumb links the page of one workload to that of all, and the page of a node to its workload.
func (v *viewModel) crumb() g.Node {
	if !v.One {
		return nil
	}
	all := h.A(h.Href(rootLink(v.Root)), g.Text("All workloads"))
	if v.Node == nil {
		return h.P(h.Class("crumb"), all)
	}
	w := v.Workloads[0]
	return h.P(h.Class("crumb"), all, g.Text(" · "), h.A(h.Href(v.Root+"workloads/"+w.Path), g.Text(w.Name)), g.Text(" · "+nodeText(*v.Node)))
}

func nodeText(node string) string {
	if node == "" {
		return "Pods with no node"
	}
	return "node " + node
}

// rootLink returns the relative link to /. A link cannot be empty.
func rootLink(root string) string {
	if root == "" {
		return "."
	}
	return root
}

func (v *viewModel) top() g.Node { return top(v.Links, v.Instance, v.AsOf) }

func top(links webpage.Links, instance string, asOf webpage.Moment) g.Node {
	return h.Header(
		h.P(h.Class("lost"), h.Strong(g.Text("Last heard from "+from+" at "), asOf.HTML(), g.Text(" UTC.")),
			g.Text(" What follows is what it said then; it may no longer be true.")),
		h.Div(h.Class("top"),
			h.P(h.Class("brand"), h.Img(h.Src(links.Brand), h.Alt(""), h.Width("20"), h.Height("20")), g.Text("reims-health-fleet"),
				g.If(instance != "", h.Span(h.Class("whose"), g.Text(instance)))),
			h.P(h.Class("asof"), g.Text("shown at "), asOf.HTML(), g.Text(" UTC")),
		),
	)
}

func overall(s webpage.State, word, summary string) g.Node {
	return h.Section(
		h.Class("overall one "+s.Class), h.Aria("labelledby", "overall"),
		h.Div(h.Class("verdict"), s.Sign(),
			h.H1(h.ID("overall"), h.Aria("live", "polite"), h.Aria("atomic", "true"), webpage.Unseen("Overall: "), webpage.Was(), g.Text(word)),
			h.P(h.Class("summary"), g.Text(summary))),
	)
}

func (v *viewModel) overall() g.Node { return overall(v.State, v.Word, v.Summary) }

func footer(api, what string) g.Node {
	return h.Footer(
		h.P(g.Text("Times are UTC. This page refreshes itself. A Pod that does not answer is unknown, never unhealthy.")),
		h.Nav(h.Aria("label", "As JSON"), g.Text("As JSON: "), h.A(h.Href(api), g.Text(what))),
	)
}

func (w workloadView) html(v *viewModel) g.Node {
	id := "title-" + w.ID
	title := g.Text(w.Name)
	if !v.One {
		title = h.A(h.Href(v.Root+"workloads/"+w.Path), title)
	}
	return h.Article(
		h.ID("workload-"+w.ID), h.Class("fleet "+w.State.Class), h.Aria("labelledby", id),
		h.Header(
			h.H3(h.ID(id), title),
			h.P(h.Class("state"), w.State.Sign(), h.Span(webpage.Was(), g.Text(w.State.Word))),
		),
		h.P(h.Class("counts"), g.Text(w.Counts+", as of "), w.AsOf.HTML()),
		g.If(len(w.Services) > 0, h.Ul(h.Class("states"), webpage.ListRole(), g.Map(w.Services, serviceView.html))),
		g.If(w.OmittedServices != "", h.P(h.Class("left"), g.Text(w.OmittedServices+"."))),
		g.If(len(w.Grid.Rows) > 0, g.Group{w.collapsible(v)}),
		w.changes(),
	)
}

func (s serviceView) html() g.Node {
	return h.Li(h.Class(s.State.Class), s.State.Sign(), h.P(
		h.B(g.Text(s.Name)), g.Text(" "), webpage.Was(), g.Text(s.State.Word),
		g.If(s.Reason != "", g.Group{g.Text(" "), h.Code(g.Text(s.Reason))}),
		g.If(s.Extent != "", g.Group{g.Text(" "), h.Span(h.Class("extent"), g.Text(s.Extent))}),
		h.Span(h.Class("more"), g.If(s.Extent == "" && s.Counts != "", g.Text(" "+s.Counts+";")),
			g.Text(" "), webpage.Age("for "+s.For+", "), g.Text("since "), s.Since.HTML()),
	))
}

// collapsible returns the grid in an element that can be closed. On a page of several workloads,
// the grids of healthy ones are closed at first.
func (w workloadView) collapsible(v *viewModel) g.Node {
	open := v.One || w.State.Class != "healthy" || len(v.Workloads) == 1
	return h.Details(h.Class("seen "+w.State.Class), g.If(open, g.Attr("open")),
		h.Summary(g.Text(w.Grid.By+"s"), webpage.Unseen(" of "+w.Name)), w.grid(v))
}

func (w workloadView) grid(v *viewModel) g.Node {
	columns := len(w.Grid.Services) + 1
	return h.Div(
		h.Class("scroll"), h.TabIndex("0"), h.Role("region"), h.Aria("label", "Services by "+w.Grid.By+" of "+w.Name),
		h.Table(h.Class("grid"),
			h.THead(h.Tr(
				h.Th(g.Attr("scope", "col"), g.Text(w.Grid.By)),
				g.Map(w.Grid.Services, func(name string) g.Node { return h.Th(g.Attr("scope", "col"), g.Text(name)) }),
			)),
			h.TBody(g.Map(w.Grid.Rows, func(r rowView) g.Node { return r.html(v.Root, columns) }),
				g.If(w.Grid.Omitted != "", h.Tr(h.Class("more"), h.Td(g.Attr("colspan", number(columns)), g.Text(w.Grid.Omitted))))),
		),
	)
}

func (r rowView) html(root string, columns int) g.Node {
	if r.Place != "" {
		return h.Tr(h.Class("place"), h.Th(g.Attr("colspan", number(columns)), g.Attr("scope", "rowgroup"), g.Text(r.Place)))
	}
	name := g.Text(r.Name)
	if r.Link != "" {
		name = h.A(h.Href(root+r.Link), name)
	}
	return h.Tr(
		h.Th(g.Attr("scope", "row"), name, g.If(r.Note != "", g.Group{g.Text(" "), h.Span(h.Class("more"), g.Text(r.Note))})),
		g.Map(r.Cells, cellView.html))
}

func (c cellView) html() g.Node {
	if c.Class == "" {
		return h.Td(h.I(g.Text("none")))
	}
	if c.Text == "" {
		return h.Td(h.Class(c.Class), h.I(g.Text(c.Class)))
	}
	return h.Td(h.Class(c.Class), h.I(g.Text(c.Class+": ")), g.Text(c.Text))
}

func (w workloadView) changes() g.Node {
	if len(w.Changes) == 0 {
		return nil
	}
	return h.Details(h.Class("changes "+w.State.Class), g.Attr("open"),
		h.Summary(g.Text("Changes in the last hour"), webpage.Unseen(" of "+w.Name)),
		h.Ol(webpage.ListRole(), g.Map(w.Changes, changeView.html)))
}

func (c changeView) html() g.Node {
	what := g.Group{g.Text(c.From.Word + " "), h.Span(h.Aria("hidden", "true"), g.Text("→")), webpage.Unseen("to"), g.Text(" " + c.To.Word)}
	if c.From == c.To {
		what = g.Group{g.Text("still " + c.To.Word)}
	}
	return h.Li(h.Class(c.To.Class), c.At.HTML(), c.To.Sign(),
		h.P(h.B(g.Text(c.Subject)), g.Text(" "), what, g.If(c.Words != "", g.Group{g.Text(" "), h.Span(h.Class("more"), g.Text(c.Words))})))
}
