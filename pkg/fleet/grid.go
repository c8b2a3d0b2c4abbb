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

// gridView is a table with a column per service and a row per Pod or node, grouped by zone and node.
type gridView struct {
	By       string // what a row is: Pod or Node
	Services []string
	Rows     []rowView
	Omitted  string // what is not shown, or ""
	path     string // of the workload
}

// rowView is a row of the grid. If Place is not empty, it is a heading.
type rowView struct {
	Place string
	Name  string
	Link  string // of Name, relative to /
	Note  string
	Cells []cellView
}

// cellView is the state of a service for one Pod, or the worst state for the Pods of a node.
type cellView struct {
	Class string // the status; "" if the Pod does not have the service
	Text  string // shown beside the symbol; may be ""
}

// nodeGroup has the Pods of one node.
type nodeGroup struct {
	zone, node string
	pods       []*PodSummary
	worst      int
}

// worstRank returns the rank of the worst status of a Pod. A Pod that does not answer is unknown.
func worstRank(p *PodSummary) int {
	if !p.Answers() {
		return severityRank(health.Unknown)
	}
	worst := severityRank(health.Healthy)
	for _, s := range p.Answer.Services {
		worst = min(worst, severityRank(s.Status))
	}
	return worst
}

// groupByNode groups the Pods by node, and sorts by severity, then by zone, node and name.
func groupByNode(pods []PodSummary) []*nodeGroup {
	type key struct{ zone, node string }
	byKey, zones := map[key]*nodeGroup{}, map[string]int{}
	for i := range pods {
		p := &pods[i]
		k := key{p.Zone, p.Node}
		if byKey[k] == nil {
			byKey[k] = &nodeGroup{zone: p.Zone, node: p.Node, worst: severityRank(health.Healthy)}
		}
		byKey[k].pods = append(byKey[k].pods, p)
		byKey[k].worst = min(byKey[k].worst, worstRank(p))
		if worst, seen := zones[p.Zone]; !seen || worstRank(p) < worst {
			zones[p.Zone] = worstRank(p)
		}
	}
	var all []*nodeGroup
	for _, each := range byKey {
		slices.SortFunc(each.pods, func(a, b *PodSummary) int { return cmp.Or(worstRank(a)-worstRank(b), cmp.Compare(a.Name, b.Name)) })
		all = append(all, each)
	}
	slices.SortFunc(all, func(a, b *nodeGroup) int {
		return cmp.Or(zones[a.zone]-zones[b.zone], cmp.Compare(a.zone, b.zone), a.worst-b.worst, cmp.Compare(a.node, b.node))
	})
	return all
}

// newGrid returns a grid with at most the given number of rows. With a node, its rows are the Pods
// of that node. Otherwise they are all Pods or, if these are more than podsShown, the nodes.
func newGrid(s *Summary, path string, node *string, rows int) gridView {
	g := gridView{By: "Pod", path: path}
	pods := s.Pods
	if node != nil {
		pods = slices.DeleteFunc(slices.Clone(pods), func(p PodSummary) bool { return p.Node != *node })
	}
	for _, service := range s.Services {
		g.Services = append(g.Services, service.Name)
	}
	all := groupByNode(pods)
	byNode := node == nil && len(pods) > podsShown
	if byNode {
		g.By = "Node"
		slices.SortStableFunc(all, func(a, b *nodeGroup) int { return a.worst - b.worst }) // the worst first, since not all may fit
		if len(all) <= rows {
			all = groupByNode(pods)
		}
	}
	omitted, notHealthy := 0, 0
	omit := func(p *nodeGroup, pods int) {
		omitted += pods
		if p.worst != severityRank(health.Healthy) {
			notHealthy++
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
			if text := groupHeading(each, byNode); text != "" {
				g.Rows = append(g.Rows, rowView{Place: text})
			}
		}
		switch {
		case len(g.Rows) >= rows || title != heading:
			omit(each, len(each.pods))
		case byNode:
			g.Rows = append(g.Rows, g.nodeRow(each))
		default:
			fit := min(len(each.pods), rows-len(g.Rows))
			for _, p := range each.pods[:fit] {
				g.Rows = append(g.Rows, g.podRow(p))
			}
			if fit < len(each.pods) {
				omit(each, len(each.pods)-fit)
			}
		}
	}
	if omitted > 0 {
		g.Omitted = "And " + count(omitted, "Pod") + " more"
		if notHealthy == 0 {
			g.Omitted += ", all healthy"
		}
	}
	return g
}

func groupHeading(p *nodeGroup, byNode bool) string {
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

// nodeRow returns the row of a node: for each service the worst status, and how many Pods have it.
func (g *gridView) nodeRow(p *nodeGroup) rowView {
	row := rowView{
		Name: cmp.Or(p.node, "(no node)"), Note: count(len(p.pods), "Pod"),
		Link: "workloads/" + g.path + "?" + url.Values{"node": {p.node}}.Encode(),
	}
	for _, name := range g.Services {
		worst, counts, total := len(bySeverity), map[int]int{}, 0
		for _, pod := range p.pods {
			answer, has := pod.Service(name)
			if !has && pod.Answers() {
				continue
			}
			r := severityRank(answer.Status)
			total++
			counts[r]++
			worst = min(worst, r)
		}
		cell := cellView{}
		if total > 0 {
			cell.Class = bySeverity[worst].String()
			if bySeverity[worst] != health.Healthy {
				cell.Text = strconv.Itoa(counts[worst]) + " of " + strconv.Itoa(total)
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}
