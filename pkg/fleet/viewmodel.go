package fleet

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

const (
	// podsShown is up to how many Pods a workload's grid has a row for each. Larger ones have
	// a row per node.
	podsShown = 200
	// rowsShown is how many rows all grids of one page have, so that it stays small.
	rowsShown = 220
	// changesShown is how many changes are shown of each workload; the API has them all.
	changesShown = 20
)

// viewModel is what a page of workloads shows.
type viewModel struct {
	webpage.Links
	Root      string // the way up to /
	Title     string
	AsOf      webpage.Moment
	Whose     string
	State     webpage.State
	Word      string
	Summary   string
	Workloads []workloadView
	One       bool // it is of one workload
}

type workloadView struct {
	ID, Name, Path string
	State          webpage.State
	Counts         string
	Services       []serviceView
	Grid           gridView
	Changes        []changeView
}

// serviceView is what all Pods say of one service.
type serviceView struct {
	Name, Reason string
	State        webpage.State
	Extent       string // in words; "" where there is no fault
	Counts       string
	For          string
	Since        webpage.Moment
}

type changeView struct {
	At       webpage.Moment
	Subject  string
	From, To webpage.State
	Words    string
}

// severity is the order of statuses: what needs attention first.
var severity = []health.Status{health.Unhealthy, health.Degraded, health.Unknown, health.Healthy}

func rank(s health.Status) int { return slices.Index(severity, s) }

func count(n int, noun string) string {
	text := webpage.NumberText(float64(n)) + " " + noun
	if n != 1 {
		text += "s"
	}
	return text
}

func (p *handler) viewModel(all []*Summary, root string, now time.Time) *viewModel {
	v := &viewModel{
		Links: p.files.Links.Below(root), Root: root, AsOf: webpage.NewMoment(now, now),
		Whose: strings.TrimSpace(p.options.Instance + " " + p.options.Version),
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *Summary) int { return rank(a.Status) - rank(b.Status) })
	counts, pods, worst := map[health.Status]int{}, 0, len(severity)-1
	for _, s := range all {
		counts[s.Status]++
		pods += s.Known
		worst = min(worst, rank(s.Status))
	}
	rows := rowsShown
	for _, s := range all {
		w := newWorkloadView(s, p.c.Changes(s.Target.Workload), rows, now)
		rows -= len(w.Grid.Rows)
		v.Workloads = append(v.Workloads, w)
	}
	v.State = webpage.StateOf(severity[worst])
	v.Word = v.State.Word
	var words []string
	for _, status := range severity {
		if n := counts[status]; n > 0 {
			words = append(words, count(n, "workload")+map[bool]string{true: " is ", false: " are "}[n == 1]+status.String())
		}
	}
	v.Summary = webpage.Enumerate(words) + ": " + count(pods, "Pod") + " in all."
	v.Title = v.Word + " · reims-health-fleet"
	if len(all) == 0 {
		v.State, v.Word = webpage.StateOf(health.Unknown), "No workloads"
		v.Summary = "No workload has been asked yet. A DependencyHealth object names one."
		v.Title = "No workloads · reims-health-fleet"
	}
	return v
}

func newWorkloadView(s *Summary, changes []Change, rows int, now time.Time) workloadView {
	name := s.Target.Workload
	w := workloadView{
		ID: name.Namespace + "." + name.Name, Name: name.String(), Path: name.Namespace + "/" + name.Name,
		State: webpage.StateOf(s.Status), Counts: countsText(s), Grid: newGrid(s, rows),
	}
	services := slices.Clone(s.Services)
	slices.SortStableFunc(services, func(a, b ServiceSummary) int { return rank(a.Status) - rank(b.Status) })
	for i := range services {
		w.Services = append(w.Services, newServiceView(&services[i], now))
	}
	for _, c := range changes[max(0, len(changes)-changesShown):] {
		w.Changes = append(w.Changes, newChangeView(c, now))
	}
	slices.Reverse(w.Changes)
	return w
}

// countsText is how many Pods there are, and how many do not answer and why.
func countsText(s *Summary) string {
	text := count(s.Known, "Pod") + ": " + webpage.NumberText(float64(s.Ready)) + " ready, " + webpage.NumberText(float64(s.Answering)) + " answering"
	var why []string
	for _, f := range Failures() {
		if n := s.Failures[f]; n > 0 {
			why = append(why, webpage.NumberText(float64(n))+" "+string(f))
		}
	}
	if len(why) > 0 {
		text += " (no answer: " + webpage.Enumerate(why) + ")"
	}
	return text
}

func newServiceView(s *ServiceSummary, now time.Time) serviceView {
	v := serviceView{
		Name: s.Name, State: webpage.StateOf(s.Status), Extent: extentText(s.verdict()),
		Since: webpage.NewMoment(s.Since, now), For: webpage.SpanText(now.Sub(s.Since)),
	}
	var reasons []string
	for _, r := range s.Reasons[:min(3, len(s.Reasons))] {
		reasons = append(reasons, string(r.Reason))
	}
	v.Reason = strings.Join(reasons, ", ")
	var counts []string
	for _, status := range severity {
		if n := s.Pods[status]; n > 0 && status != health.Healthy {
			counts = append(counts, webpage.NumberText(float64(n))+" "+status.String())
		}
	}
	v.Counts = webpage.Enumerate(counts)
	return v
}

// extentText is how far a fault reaches, in words; "" where there is none.
func extentText(v Verdict) string {
	of := webpage.NumberText(float64(v.Failing)) + " of " + count(v.Pods, "Pod")
	names := webpage.Enumerate(v.Names)
	if len(v.Names) == MaxNames {
		names = strings.Join(v.Names, ", ") + " and maybe more"
	}
	switch v.Extent {
	case ExtentShared:
		return "Shared by most Pods: " + of + "."
	case ExtentZone:
		return "Only in " + plural(v.Names, "zone") + " " + names + ": " + of + "."
	case ExtentNode:
		return "Only on " + plural(v.Names, "node") + " " + names + ": " + of + "."
	case ExtentPods:
		if v.Failing > MaxNames {
			return "Some Pods, of no one node or zone: " + of + "."
		}
		return "Only " + plural(v.Names, "Pod") + " " + names + ": " + of + "."
	default:
		return ""
	}
}

func plural(names []string, noun string) string {
	if len(names) == 1 {
		return noun
	}
	return noun + "s"
}

func newChangeView(c Change, now time.Time) changeView {
	v := changeView{
		At: webpage.NewMoment(c.At, now), Subject: cmp.Or(c.Service, "All of it"),
		From: webpage.StateOf(c.From.Status), To: webpage.StateOf(c.To.Status), Words: extentText(c.To),
	}
	if v.Words == "" && c.From.Extent != ExtentNone {
		v.Words = "No Pod is unhealthy."
	}
	return v
}

// gridView is services by Pods, or by nodes, grouped by zone and node.
type gridView struct {
	By       string // what a row is: Pod or Node
	Services []string
	Rows     []rowView
	Left     string // what is not shown, or ""
}

// rowView is a heading where Place is not empty.
type rowView struct {
	Place string
	Name  string
	Pod   bool // Name leads to its details
	Note  string
	Cells []cellView
}

// cellView is what a Pod or a node's Pods say of a service.
type cellView struct {
	Class string // of the status; "" where it has no such service
	Text  string // what is seen besides the sign, or ""
}

// place is the Pods of one node.
type place struct {
	zone, node string
	pods       []*PodSummary
	worst      int
}

// worstOf is the rank of the worst status of a Pod; not to answer is worse than to be well.
func worstOf(p *PodSummary) int {
	if !p.Answers() {
		return rank(health.Unknown)
	}
	worst := rank(health.Healthy)
	for _, s := range p.Answer.Services {
		worst = min(worst, rank(s.Status))
	}
	return worst
}

// places sorts the Pods by zone, node and name, what is wrong first.
func places(pods []PodSummary) []*place {
	type key struct{ zone, node string }
	byKey, zones := map[key]*place{}, map[string]int{}
	for i := range pods {
		p := &pods[i]
		k := key{p.Zone, p.Node}
		if byKey[k] == nil {
			byKey[k] = &place{zone: p.Zone, node: p.Node, worst: rank(health.Healthy)}
		}
		byKey[k].pods = append(byKey[k].pods, p)
		byKey[k].worst = min(byKey[k].worst, worstOf(p))
		if worst, seen := zones[p.Zone]; !seen || worstOf(p) < worst {
			zones[p.Zone] = worstOf(p)
		}
	}
	var all []*place
	for _, each := range byKey {
		slices.SortFunc(each.pods, func(a, b *PodSummary) int { return cmp.Or(worstOf(a)-worstOf(b), cmp.Compare(a.Name, b.Name)) })
		all = append(all, each)
	}
	slices.SortFunc(all, func(a, b *place) int {
		return cmp.Or(zones[a.zone]-zones[b.zone], cmp.Compare(a.zone, b.zone), a.worst-b.worst, cmp.Compare(a.node, b.node))
	})
	return all
}

// newGrid returns the grid with at most so many rows.
func newGrid(s *Summary, rows int) gridView {
	g := gridView{By: "Pod"}
	for _, service := range s.Services {
		g.Services = append(g.Services, service.Name)
	}
	all := places(s.Pods)
	byNode := len(s.Pods) > podsShown
	if byNode {
		g.By = "Node"
		slices.SortStableFunc(all, func(a, b *place) int { return a.worst - b.worst }) // those that are wrong may be all that is shown
		if len(all) <= rows {
			all = places(s.Pods)
		}
	}
	left, sick := 0, 0
	leave := func(p *place, pods int) {
		left += pods
		if p.worst != rank(health.Healthy) {
			sick++
		}
	}
	heading := "\x00"
	for _, each := range all {
		title := each.zone
		if !byNode {
			title = each.zone + "\x00" + each.node
		}
		if title != heading && len(g.Rows)+1 < rows {
			heading = title
			if text := placeText(each, byNode); text != "" {
				g.Rows = append(g.Rows, rowView{Place: text})
			}
		}
		switch {
		case len(g.Rows) >= rows || title != heading:
			leave(each, len(each.pods))
		case byNode:
			g.Rows = append(g.Rows, g.nodeRow(each))
		default:
			fit := min(len(each.pods), rows-len(g.Rows))
			for _, p := range each.pods[:fit] {
				g.Rows = append(g.Rows, g.podRow(p))
			}
			if fit < len(each.pods) {
				leave(each, len(each.pods)-fit)
			}
		}
	}
	if left > 0 {
		g.Left = "And " + count(left, "Pod") + " more"
		if sick == 0 {
			g.Left += ", all healthy"
		}
	}
	return g
}

func placeText(p *place, byNode bool) string {
	var words []string
	if p.zone != "" {
		words = append(words, "Zone "+p.zone)
	}
	if !byNode && p.node != "" {
		words = append(words, "node "+p.node)
	}
	return webpage.Capital(strings.Join(words, ", "))
}

func (g *gridView) podRow(p *PodSummary) rowView {
	row := rowView{Name: p.Name, Pod: true}
	if !p.Ready {
		row.Note = "not ready"
	}
	if !p.Answers() {
		row.Note = strings.TrimPrefix(row.Note+", no answer", ", ")
		if p.Answer.Failure != "" {
			row.Note += ": " + string(p.Answer.Failure)
		}
	}
	for _, name := range g.Services {
		answer, has := p.Service(name)
		switch {
		case !p.Answers():
			row.Cells = append(row.Cells, cellView{Class: health.Unknown.String()})
		case !has:
			row.Cells = append(row.Cells, cellView{})
		default:
			row.Cells = append(row.Cells, cellView{Class: answer.Status.String(), Text: string(answer.Reason)})
		}
	}
	return row
}

// nodeRow is all Pods of a node: of each service, how many Pods do not find it healthy.
func (g *gridView) nodeRow(p *place) rowView {
	row := rowView{Name: cmp.Or(p.node, "(no node)"), Note: count(len(p.pods), "Pod")}
	for _, name := range g.Services {
		worst, counts, total := len(severity), map[int]int{}, 0
		for _, pod := range p.pods {
			answer, has := pod.Service(name)
			if !has && pod.Answers() {
				continue
			}
			r := rank(answer.Status)
			total++
			counts[r]++
			worst = min(worst, r)
		}
		cell := cellView{}
		if total > 0 {
			cell.Class = severity[worst].String()
			if severity[worst] != health.Healthy {
				cell.Text = strconv.Itoa(counts[worst]) + " of " + strconv.Itoa(total)
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}
