package fleet

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// gridView is services by Pods, or by nodes, grouped by zone and node.
type gridView struct {
	By       string // what a row is: Pod or Node
	Services []string
	Rows     []rowView
	Left     string // what is not shown, or ""
	path     string // of the workload
}

// rowView is a row. It is a heading where Place is not empty.
type rowView struct {
	Place string
	Name  string
	Link  string // where Name leads, relative to /
	Note  string
	Cells []cellView
}

// cellView is what a Pod or a node's Pods say of a service.
type cellView struct {
	Class string // of the status; "" where it has no such service
	Text  string // shown beside the sign; may be ""
}

// place is the Pods of one node.
type place struct {
	zone, node string
	pods       []*PodSummary
	worst      int
}

// worstOf is the rank of the worst status of a Pod. A Pod that does not answer is unknown.
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

// places sorts the Pods by zone, node and name. Places and Pods that need attention come first.
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

// newGrid returns the grid with at most so many rows: of the Pods of one node where that is not
// nil, else of all Pods, or of the nodes where there are many Pods.
func newGrid(s *Summary, path string, node *string, rows int) gridView {
	g := gridView{By: "Pod", path: path}
	pods := s.Pods
	if node != nil {
		pods = slices.DeleteFunc(slices.Clone(pods), func(p PodSummary) bool { return p.Node != *node })
	}
	for _, service := range s.Services {
		g.Services = append(g.Services, service.Name)
	}
	all := places(pods)
	byNode := node == nil && len(pods) > podsShown
	if byNode {
		g.By = "Node"
		slices.SortStableFunc(all, func(a, b *place) int { return a.worst - b.worst }) // others may not fit
		if len(all) <= rows {
			all = places(pods)
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
	row := rowView{Name: p.Name, Link: "pods/" + g.path + "/" + url.PathEscape(p.Name)}
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

// nodeRow is the row of a node: for each service the worst status, and how many of the node's Pods have it.
func (g *gridView) nodeRow(p *place) rowView {
	row := rowView{
		Name: cmp.Or(p.node, "(no node)"), Note: count(len(p.pods), "Pod"),
		Link: "workloads/" + g.path + "?" + url.Values{"node": {p.node}}.Encode(),
	}
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
