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
	// podsShown is the largest number of Pods for which a grid has a row per Pod. Above it, the grid
	// has a row per node.
	podsShown = 200
	// The limits of one page over all its workloads.
	rowsShown      = 220
	cellsShown     = 16 * rowsShown
	servicesShown  = 150
	changesShown   = 100
	workloadsShown = 100
	// changesOfOne is the largest number of changes per workload; the API has them all.
	changesOfOne = 20
	// staleSlack is added to the time for which an answer counts. A round that is older than the sum
	// is stale: the page shows its workload as unknown.
	staleSlack = 10 * time.Second
)

// pageLimits is how much more a page may show.
type pageLimits struct{ rows, cells, services, changes, workloads int }

func newPageLimits() pageLimits {
	return pageLimits{rowsShown, cellsShown, servicesShown, changesShown, workloadsShown}
}

// viewModel is the content of a page of workloads.
type viewModel struct {
	webpage.Links
	Root      string // the relative link to /
	Title     string
	AsOf      webpage.Moment
	Instance  string
	State     webpage.State
	Word      string
	Summary   string
	Workloads []workloadView
	Omitted   string // says what the page does not show, or ""
	One       bool   // the page shows one workload
	// Node is the node whose Pods the grid shows; nil for all nodes.
	Node *string
}

type workloadView struct {
	ID, Name, Path  string
	State           webpage.State
	Counts          string
	AsOf            webpage.Moment // when the round ended
	Services        []serviceView
	OmittedServices string // says how many are not shown, or ""
	Grid            gridView
	Changes         []changeView
}

// serviceView is the state of one service over all Pods.
type serviceView struct {
	Name, Reason string
	State        webpage.State
	Extent       string // as a sentence; "" without a fault
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

func severityRank(s health.Status) int { return slices.Index(bySeverity, s) }

// viewModel returns the content of the page for these workloads. If node is not nil, the grid has
// only the Pods of that node.
func (p *handler) viewModel(all []*Summary, node *string, root string, now time.Time) *viewModel {
	v := &viewModel{
		Links: p.files.Links.Below(root), Root: root, Node: node, AsOf: webpage.NewMoment(now, now),
		Instance: strings.TrimSpace(p.options.Instance + " " + p.options.Version),
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *Summary) int { return severityRank(statusOf(a, now)) - severityRank(statusOf(b, now)) })
	counts, pods, worst := map[health.Status]int{}, 0, len(bySeverity)-1
	for _, s := range all {
		status := statusOf(s, now)
		counts[status]++
		pods += s.Known
		worst = min(worst, severityRank(status))
	}
	remaining := newPageLimits()
	for i, s := range all {
		if remaining.workloads == 0 {
			v.Omitted = "And " + count(len(all)-i, "workload") + " more" + map[bool]string{true: ", all healthy"}[severityRank(statusOf(s, now)) == severityRank(health.Healthy)] + "."
			break
		}
		v.Workloads = append(v.Workloads, newWorkloadView(s, p.c.Changes(s.Target.Workload), node, &remaining, now))
	}
	v.State = webpage.StateOf(bySeverity[worst])
	v.Word = v.State.Word
	var words []string
	for _, status := range bySeverity {
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

// statusOf returns the status of a workload: unknown if its last round is too old.
func statusOf(s *Summary, now time.Time) health.Status {
	if isStale(s, now) {
		return health.Unknown
	}
	return s.Status
}

func isStale(s *Summary, now time.Time) bool {
	return now.Sub(s.At) > keptIntervals*max(s.Target.interval(), s.Interval)+staleSlack
}

func newWorkloadView(s *Summary, changes []Change, node *string, remaining *pageLimits, now time.Time) workloadView {
	name := s.Target.Workload
	w := workloadView{
		ID: name.Namespace + "." + name.Name, Name: name.String(), Path: name.Namespace + "/" + name.Name,
		State: webpage.StateOf(statusOf(s, now)), Counts: countsText(s), AsOf: webpage.NewMoment(s.At, now),
	}
	remaining.workloads--
	if isStale(s, now) {
		w.Counts = "Not asked for " + webpage.SpanText(now.Sub(s.At)) + ". Before that: " + w.Counts
	}
	services := slices.Clone(s.Services)
	slices.SortStableFunc(services, func(a, b ServiceSummary) int { return severityRank(a.Status) - severityRank(b.Status) })
	fit := min(len(services), remaining.services)
	for i := range services[:fit] {
		w.Services = append(w.Services, newServiceView(&services[i], now))
	}
	remaining.services -= fit
	if more := len(services) - fit; more > 0 {
		w.OmittedServices = "And " + count(more, "service") + " more"
		if services[fit].Status == health.Healthy {
			w.OmittedServices += ", all healthy"
		}
	}
	w.Grid = newGrid(s, w.Path, node, min(remaining.rows, remaining.cells/max(1, len(s.Services))))
	remaining.rows -= len(w.Grid.Rows)
	remaining.cells -= len(w.Grid.Rows) * len(s.Services)
	changes = changes[max(0, len(changes)-min(changesOfOne, remaining.changes)):]
	remaining.changes -= len(changes)
	for _, c := range changes {
		w.Changes = append(w.Changes, newChangeView(c, now))
	}
	slices.Reverse(w.Changes)
	return w
}

// countsText returns how many Pods there are, how many do not answer, and why.
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
	for _, status := range bySeverity {
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
