package statuspage

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// maxChangesShown keeps the page short; /health/history has all changes.
const maxChangesShown = 30

// viewModel is the content of the page. It does not have withheld values.
type viewModel struct {
	webpage.Links
	Title    string         // of the browser's tab
	Icon     string         // link of the icon of the state
	Since    webpage.Moment // when this sidecar started
	State    webpage.State
	Summary  string
	AsOf     webpage.Moment
	Latest   webpage.Moment // time of the latest result
	Stopped  string         // how long the scheduler has not run, or ""
	Ready    readyView
	Services []serviceView
	Span     string // the time that the charts show
	Changes  []changeView
	Earlier  int // changes that are not shown
	Details  Details
	Instance string // name of this sidecar, or "" if it is withheld
}

var states = map[string]webpage.State{
	"unknown":   {Class: "unknown", Word: "Unknown"},
	"healthy":   {Class: "healthy", Word: "Healthy"},
	"degraded":  {Class: "degraded", Word: "Degraded"},
	"unhealthy": {Class: "unhealthy", Word: "Unhealthy"},
	"starting":  {Class: "unknown", Word: "Starting"}, // overall, while only first results are missing
	"ready":     {Class: "healthy", Word: "Ready"},
	"not_ready": {Class: "unhealthy", Word: "Not ready"},
}

func stateOf(s health.Status) webpage.State { return states[s.String()] }

func (p *Page) viewModel(v *health.View, now time.Time) *viewModel {
	since := now.Add(-historySpan)
	page := &viewModel{
		Links: p.files.Links, AsOf: webpage.NewMoment(now, now), Latest: webpage.NewMoment(v.Time(), now), Details: p.options.Details,
		Ready: newReadyView(v, p.options.Details), Since: webpage.NewMoment(p.since, now),
	}
	if p.options.Details == Full {
		page.Instance = strings.TrimSpace(p.options.Instance + " " + p.options.Version)
	}
	page.State, page.Summary = overall(v)
	page.Icon = p.files.Links.Icons[page.State.Class]
	page.Title = titleOf(v, page.State)
	if idle := p.source.Idle(); idle > health.MaxIdle {
		page.Stopped, page.Title, page.Icon = webpage.SpanText(idle), "No news", p.files.Links.Icons["unknown"]
	}
	if p.options.Details == Full && p.options.Instance != "" {
		page.Title += " · " + p.options.Instance
	} else {
		page.Title += " · reims-health"
	}
	samples := make([][]health.Sample, len(v.Results()))
	for i, r := range v.Results() {
		samples[i] = p.history.Samples(r.Service.Name, since)
	}
	axis := newAxis(samples, now)
	page.Span = webpage.SpanText(axis.span)
	for _, i := range worstFirst(v.Results()) {
		service := newServiceView(v.Results()[i], samples[i], axis, p.options.Details)
		service.Collapsible = len(samples) > fewServices
		service.Collapsed = service.Collapsible && v.Results()[i].Status == health.Healthy
		page.Services = append(page.Services, service)
	}
	fillRows(page.Services)
	page.Changes = p.changes(v, since, now)
	page.Earlier = max(0, len(page.Changes)-maxChangesShown)
	page.Changes = page.Changes[:len(page.Changes)-page.Earlier]
	return page
}

// fewServices is the largest number of services that are shown in full and listed by name.
const fewServices = 4

// fillRows makes the last of an odd number of cards take the whole row, which would otherwise have an empty
// place. It does so for the cards that are shown in full and for those that are collapsed.
func fillRows(services []serviceView) {
	for begin, i := 0, 0; i < len(services); i++ {
		if i+1 < len(services) && services[i+1].Collapsed == services[i].Collapsed {
			continue
		}
		services[i].Fills = (i-begin)%2 == 0
		begin = i + 1
	}
}

// bySeverity has the statuses in the order in which they need attention.
var bySeverity = []health.Status{health.Unhealthy, health.Degraded, health.Unknown, health.Healthy}

// worstFirst returns the indices of the results, by severity and, within a status, in the order in which they
// are configured.
func worstFirst(results []health.Result) []int {
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	rank := func(i int) int { return slices.Index(bySeverity, results[i].Status) }
	slices.SortStableFunc(order, func(a, b int) int { return rank(a) - rank(b) })
	return order
}

// titles returns the titles of the services by status.
func titles(v *health.View) map[health.Status][]string {
	all := map[health.Status][]string{}
	for _, r := range v.Results() {
		all[r.Status] = append(all[r.Status], r.Service.Title())
	}
	return all
}

// overall returns the status of /health as text. While only first results are missing, it is
// starting, which /health calls unhealthy.
func overall(v *health.View) (webpage.State, string) {
	names := titles(v)
	status, waiting := v.Status(), names[health.Unknown]
	if len(waiting) > 0 && len(names[health.Unhealthy]) == 0 {
		text := "Waiting for the first result of " + webpage.Enumerate(waiting)
		if status == health.Unhealthy {
			text += "; until then /health is unhealthy"
		}
		return states["starting"], text + "."
	}
	if status == health.Healthy {
		return stateOf(status), "Every service is healthy."
	}
	var text []string
	for _, each := range bySeverity {
		switch list := names[each]; {
		case len(list) == 0:
		case each == health.Healthy && len(list) > fewServices:
			text = append(text, "The other "+strconv.Itoa(len(list))+" services are healthy.")
		default:
			text = append(text, webpage.Enumerate(list)+verb(list)+each.String()+".")
		}
	}
	return stateOf(status), strings.Join(text, " ")
}

// titleOf returns the state in a few words for the browser's tab. It omits that the Pod is
// not ready only if a service on which readiness depends is down.
func titleOf(v *health.View, overall webpage.State) string {
	names := titles(v)
	first := func(status health.Status) string {
		if n := len(names[status]); n > 1 {
			return names[status][0] + " and " + strconv.Itoa(n-1) + " more"
		}
		return names[status][0]
	}
	text := "All healthy"
	switch {
	case len(names[health.Unhealthy]) > 0:
		text = first(health.Unhealthy) + " down"
	case len(names[health.Degraded]) > 0:
		text = first(health.Degraded) + " degraded"
	case overall == states["starting"]:
		return overall.Word // which says that it is not ready
	}
	if ready := v.Readiness(); !ready.Ready && !slices.ContainsFunc(ready.Causes, func(c health.Cause) bool { return downBlocks(v, c) }) {
		text += ", not ready"
	}
	return text
}

// downBlocks reports whether the Pod is not ready because a service is down.
func downBlocks(v *health.View, c health.Cause) bool {
	r, ok := v.Service(c.Source)
	return ok && r.Status == health.Unhealthy && !c.Grace && !c.Held
}

func verb(subjects []string) string {
	if len(subjects) > 1 {
		return " are "
	}
	return " is "
}

// readyView is /health/ready as text.
type readyView struct {
	State  webpage.State
	Text   string
	Held   string // why the Pod is ready although a service is unhealthy, or ""
	Causes []causeView
}

type causeView struct{ Source, Text string }

func newReadyView(v *health.View, d Details) readyView {
	ready := v.Readiness()
	view := readyView{State: states["not_ready"], Text: "This Pod should receive no traffic."}
	if ready.Ready {
		view = readyView{State: states["ready"], Text: "This Pod may receive traffic."}
	}
	view.Held = heldText(v, ready, d)
	for _, c := range ready.Causes {
		switch {
		case c.Ours() || d == Full:
			view.Causes = append(view.Causes, causeView{sourceTitle(v, c.Source), c.Message})
		case d == Safe && c.Held:
			view.Causes = append(view.Causes, causeView{sourceTitle(v, c.Source), c.ReasonText + "; held: " + heldWhy(c)})
		case d == Safe && c.Grace:
			view.Causes = append(view.Causes, causeView{sourceTitle(v, c.Source), c.ReasonText + "; ready under its grace"})
		case d == Safe:
			view.Causes = append(view.Causes, causeView{sourceTitle(v, c.Source), c.ReasonText})
		}
	}
	return view
}

// heldText returns why the Pod is ready although services are unhealthy; "" if it is not
// held.
func heldText(v *health.View, ready health.Readiness, d Details) string {
	var names, why []string
	for _, c := range ready.Causes {
		if !c.Held {
			continue
		}
		names = append(names, sourceTitle(v, c.Source))
		if text := heldWhy(c); !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	if !ready.Ready || len(names) == 0 {
		return ""
	}
	text := "Ready although " + webpage.Enumerate(names) + verb(names) + health.Unhealthy.String()
	if d == Off {
		return text + "."
	}
	return text + ": " + webpage.Enumerate(why) + "."
}

// heldWhy returns why the Pod stays ready although a service is unhealthy.
func heldWhy(c health.Cause) string {
	if c.Scope == health.ScopeUndecided {
		return "the other Pods are being asked whether they see it too"
	}
	return c.Finding.String()
}

// changeView is one line of the timeline.
type changeView struct {
	At       webpage.Moment
	Subject  string
	From, To webpage.State
	Same     bool   // only the reason changed
	First    bool   // there was no status before
	Lasted   string // how long the previous state lasted, or "" if it is unknown
	Reason   string
	Docs     string // URL of the documentation of the reason, or ""
	Words    string

	time time.Time
}

// changes returns the changes of all services and of readiness, the latest first.
func (p *Page) changes(current *health.View, since, now time.Time) []changeView {
	var views []changeView
	add := func(name, subject string) {
		var began time.Time // of the previous state
		for _, c := range p.history.Changes(name, time.Time{}) {
			lasted := ""
			if c.From != c.To {
				if !began.IsZero() {
					lasted = lastedText(c.Time.Sub(began))
				}
				began = c.Time
			}
			if c.Time.Before(since) {
				continue
			}
			v := changeView{
				At: webpage.NewMoment(c.Time, now), Subject: subject, From: states[c.From], To: states[c.To], time: c.Time,
				Same: c.From == c.To, First: c.From == health.Unknown.String(), Lasted: lasted,
			}
			if p.options.Details != Off {
				v.Reason, v.Words, v.Docs = string(c.Reason), current.Explain(c.Reason), current.Docs(c.Reason)
			}
			if !v.Same || v.Reason != "" {
				views = append(views, v)
			}
		}
	}
	add("", "Readiness")
	for _, r := range current.Results() {
		add(r.Service.Name, r.Service.Title())
	}
	slices.SortStableFunc(views, func(a, b changeView) int { return b.time.Compare(a.time) })
	return views
}

// sourceTitle returns the title of the source of a cause: a service, or the sidecar itself.
func sourceTitle(v *health.View, source string) string {
	if r, ok := v.Service(source); ok {
		return r.Service.Title()
	}
	return webpage.Capital(source)
}
