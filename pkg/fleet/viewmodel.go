package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

const (
	// podsShown is up to how many Pods a workload's grid has a row for each. Larger ones have
	// a row per node.
	podsShown = 200
	// What one page shows of all workloads together is limited, so that it stays small.
	rowsShown      = 220
	cellsShown     = 16 * rowsShown
	servicesShown  = 150
	changesShown   = 100
	workloadsShown = 100
	// changesOfOne is how many changes are shown of each workload; the API has them all.
	changesOfOne = 20
	// late is the slack for a round: one that ended longer ago than an answer counts, and this,
	// is too old to be shown as what is so now.
	late = 10 * time.Second
)

// room is how much more a page may show.
type room struct{ rows, cells, services, changes, workloads int }

func newRoom() room {
	return room{rowsShown, cellsShown, servicesShown, changesShown, workloadsShown}
}

// viewModel is what a page of workloads shows.
type viewModel struct {
	webpage.Links
	Root      string // the relative link to /
	Title     string
	AsOf      webpage.Moment
	Whose     string
	State     webpage.State
	Word      string
	Summary   string
	Workloads []workloadView
	Left      string // what is not shown, or ""
	One       bool   // the page is of one workload
	// Node is the only node of which Pods are in the grid, or nil.
	Node *string
}

type workloadView struct {
	ID, Name, Path string
	State          webpage.State
	Counts         string
	AsOf           webpage.Moment // when the round ended
	Services       []serviceView
	LeftServices   string // how many are not shown, or ""
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

func rank(s health.Status) int { return slices.Index(severity, s) }

// viewModel returns the page of these workloads. Where node is not nil, only Pods of that node are
// in the grid.
func (p *handler) viewModel(all []*Summary, node *string, root string, now time.Time) *viewModel {
	v := &viewModel{
		Links: p.files.Links.Below(root), Root: root, Node: node, AsOf: webpage.NewMoment(now, now),
		Whose: strings.TrimSpace(p.options.Instance + " " + p.options.Version),
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *Summary) int { return rank(statusOf(a, now)) - rank(statusOf(b, now)) })
	counts, pods, worst := map[health.Status]int{}, 0, len(severity)-1
	for _, s := range all {
		status := statusOf(s, now)
		counts[status]++
		pods += s.Known
		worst = min(worst, rank(status))
	}
	left := newRoom()
	for i, s := range all {
		if left.workloads == 0 {
			v.Left = "And " + count(len(all)-i, "workload") + " more" + map[bool]string{true: ", all healthy"}[rank(statusOf(s, now)) == rank(health.Healthy)] + "."
			break
		}
		v.Workloads = append(v.Workloads, newWorkloadView(s, p.c.Changes(s.Target.Workload), node, &left, now))
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

// statusOf is the status of a workload as of now: unknown where its last round is too long ago.
func statusOf(s *Summary, now time.Time) health.Status {
	if isLate(s, now) {
		return health.Unknown
	}
	return s.Status
}

func isLate(s *Summary, now time.Time) bool {
	return now.Sub(s.At) > keptIntervals*max(s.Target.interval(), s.Interval)+late
}

func newWorkloadView(s *Summary, changes []Change, node *string, left *room, now time.Time) workloadView {
	name := s.Target.Workload
	w := workloadView{
		ID: name.Namespace + "." + name.Name, Name: name.String(), Path: name.Namespace + "/" + name.Name,
		State: webpage.StateOf(statusOf(s, now)), Counts: countsText(s), AsOf: webpage.NewMoment(s.At, now),
	}
	left.workloads--
	if isLate(s, now) {
		w.Counts = "Not asked for " + webpage.SpanText(now.Sub(s.At)) + ". Before that: " + w.Counts
	}
	services := slices.Clone(s.Services)
	slices.SortStableFunc(services, func(a, b ServiceSummary) int { return rank(a.Status) - rank(b.Status) })
	fit := min(len(services), left.services)
	for i := range services[:fit] {
		w.Services = append(w.Services, newServiceView(&services[i], now))
	}
	left.services -= fit
	if more := len(services) - fit; more > 0 {
		w.LeftServices = "And " + count(more, "service") + " more"
		if services[fit].Status == health.Healthy {
			w.LeftServices += ", all healthy"
		}
	}
	w.Grid = newGrid(s, w.Path, node, min(left.rows, left.cells/max(1, len(s.Services))))
	left.rows -= len(w.Grid.Rows)
	left.cells -= len(w.Grid.Rows) * len(s.Services)
	changes = changes[max(0, len(changes)-min(changesOfOne, left.changes)):]
	left.changes -= len(changes)
	for _, c := range changes {
		w.Changes = append(w.Changes, newChangeView(c, now))
	}
	slices.Reverse(w.Changes)
	return w
}

// countsText says how many Pods there are, how many do not answer, and why.
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
		Name: s.Name, State: webpage.StateOf(s.Status), Extent: s.verdict().Sentence(),
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

func newChangeView(c Change, now time.Time) changeView {
	v := changeView{
		At: webpage.NewMoment(c.At, now), Subject: cmp.Or(c.Service, "the workload"),
		From: webpage.StateOf(c.From.Status), To: webpage.StateOf(c.To.Status), Words: c.To.Sentence(),
	}
	if v.Words == "" && c.From.Extent != ExtentNone {
		v.Words = "No Pod is unhealthy."
	}
	return v
}
