package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Summarise finds out what one round of answers means: one entry of pods per Pod of the
// target, in its order, which the summary keeps. previous, which may be nil, gives the times
// since when a service has had its status.
func Summarise(target *Target, pods []PodSummary, previous *Summary, now time.Time) *Summary {
	s := &Summary{Target: target, At: now, Known: len(pods), Failures: map[Failure]int{}, Pods: pods}
	asked := 0
	for i := range pods {
		p := &pods[i]
		if p.Ready {
			s.Ready++
		}
		switch {
		case p.Answers():
			s.Answering++
			if s.Oldest.IsZero() || p.Answer.At.Before(s.Oldest) {
				s.Oldest = p.Answer.At
			}
		case p.Answer.Failure != "":
			s.Failures[p.Answer.Failure]++
		default:
			continue
		}
		asked++
	}
	for _, name := range serviceNames(pods, previous) {
		s.Services = append(s.Services, summariseService(name, pods, previous, now))
	}
	s.Status = s.judge(asked)
	return s
}

// maxWorkloadServices bounds the services of a summary, since a Pod may name any. It is also what the
// status of a DependencyHealth holds.
const maxWorkloadServices = 64

// serviceNames returns the names of the services that Pods answer for, sorted: where there are too
// many, those of most Pods. Where no Pod answers, they are those of the summary before.
func serviceNames(pods []PodSummary, previous *Summary) []string {
	named, answering := map[string]int{}, false
	for i := range pods {
		if pods[i].Answers() {
			answering = true
			for _, s := range pods[i].Answer.Services {
				named[s.Name]++
			}
		}
	}
	if !answering && previous != nil {
		for i := range previous.Services {
			named[previous.Services[i].Name]++
		}
	}
	names := slices.Sorted(maps.Keys(named))
	if len(names) > maxWorkloadServices {
		slices.SortStableFunc(names, func(a, b string) int { return named[b] - named[a] })
		names = names[:maxWorkloadServices]
		slices.Sort(names)
	}
	return names
}

// judge returns the status of the workload.
func (s *Summary) judge(asked int) health.Status {
	if s.Answering == 0 || 2*s.Answering < asked {
		return health.Unknown
	}
	known, worst := len(s.Services) > 0, health.Healthy
	for i := range s.Services {
		service := &s.Services[i]
		worst = max(worst, service.Status)
		if service.Impaired() > 0 {
			worst = max(worst, health.Degraded)
		}
		known = known && service.Status != health.Unknown
	}
	if worst == health.Healthy && !known {
		return health.Unknown
	}
	return worst
}

func summariseService(name string, pods []PodSummary, previous *Summary, now time.Time) ServiceSummary {
	s := ServiceSummary{Name: name, Pods: map[health.Status]int{}, Since: now}
	reasons, worst := map[health.Reason]int{}, map[health.Reason]int{} // worst are those of the unhealthy
	silent, failed := 0, 0                                             // failed have been asked
	for i := range pods {
		p := &pods[i]
		answer, has := p.Service(name)
		switch {
		case has:
			s.Pods[answer.Status]++
		case !p.Answers():
			silent++
			if p.Answer.Failure != "" {
				failed++
			}
		}
		if answer.Reason != "" && answer.Status >= health.Degraded {
			reasons[answer.Reason]++
			if answer.Status == health.Unhealthy {
				worst[answer.Reason]++
			}
		}
	}
	s.Status = judgeService(s.Pods, failed)
	if silent > 0 {
		s.Pods[health.Unknown] += silent
	}
	for reason, n := range reasons {
		s.Reasons = append(s.Reasons, ReasonCount{reason, n})
	}
	slices.SortFunc(s.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(worst[b.Reason]-worst[a.Reason], b.Pods-a.Pods, cmp.Compare(a.Reason, b.Reason))
	})
	if len(s.Reasons) > 0 && (len(worst) > 0 || s.Pods[health.Unhealthy] == 0) {
		s.Reason = s.Reasons[0].Reason
	}
	if s.Pods[health.Unhealthy] > 0 && s.Status != health.Unknown {
		s.Extent, s.Names = extentOf(name, pods)
	}
	if before := previous.service(name); before != nil && before.Status == s.Status {
		s.Since = before.Since
	}
	return s
}

// judgeService returns the status of a service, from the answers of the Pods that have it
// and the number of those that were asked and do not answer.
func judgeService(pods map[health.Status]int, silent int) health.Status {
	failing, degraded, healthy := pods[health.Unhealthy], pods[health.Degraded], pods[health.Healthy]
	told := failing + degraded + healthy
	switch {
	case told == 0 || told < silent+pods[health.Unknown]:
		return health.Unknown
	case 2*failing >= told:
		return health.Unhealthy
	case failing+degraded > 0:
		return health.Degraded
	default:
		return health.Healthy
	}
}

// service returns what the summary, which may be nil, says of a service, or nil.
func (s *Summary) service(name string) *ServiceSummary {
	if s == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(s.Services, name, func(each ServiceSummary, name string) int {
		return cmp.Compare(each.Name, name)
	})
	if !found {
		return nil
	}
	return &s.Services[i]
}

const (
	// changesKept is how long a change is kept.
	changesKept = time.Hour
	// maxChanges is how many are kept per workload, the latest.
	maxChanges = 100
)

// Change is one of the status or the extent of a service from one round to the next, or of the
// status of the workload where Service is "".
type Change struct {
	At       time.Time
	Service  string
	From, To Verdict
}

// Verdict is what a round found of a service or a workload.
type Verdict struct {
	Status health.Status
	Extent Extent
	Names  []string
	// Failing counts the Pods for which a service is unhealthy, Pods those that can tell how it
	// is, and Unknown those that cannot. Of a workload, Pods counts all.
	Failing, Pods, Unknown int
	Reason                 health.Reason // the most frequent, or ""
}

// changes are the latest ones, the oldest first. It is never changed in place.
type changes []Change

// add returns the changes of the last hour, with those from one summary to the next. The
// first summary of a workload is no change.
func (c changes) add(previous, s *Summary) changes {
	first := slices.IndexFunc(c, func(each Change) bool { return s.At.Sub(each.At) <= changesKept })
	if first < 0 {
		first = len(c)
	}
	next := slices.Clone(c[first:])
	if previous != nil {
		if from, to := previous.verdict(), s.verdict(); from.Status != to.Status {
			next = append(next, Change{s.At, "", from, to})
		}
		for i := range s.Services {
			from, to := previous.service(s.Services[i].Name).verdict(), s.Services[i].verdict()
			if from.Status != to.Status || from.Extent != to.Extent {
				next = append(next, Change{s.At, s.Services[i].Name, from, to})
			}
		}
	}
	return next[max(0, len(next)-maxChanges):]
}

func (s *Summary) verdict() Verdict { return Verdict{Status: s.Status, Pods: s.Known} }

// verdict returns that of the service, and the zero Verdict where s is nil: the service was not known.
func (s *ServiceSummary) verdict() Verdict {
	if s == nil {
		return Verdict{}
	}
	return Verdict{
		Status: s.Status, Extent: s.Extent, Names: s.Names, Reason: s.Reason,
		Failing: s.Pods[health.Unhealthy], Pods: s.Telling(), Unknown: s.Pods[health.Unknown],
	}
}

// Changes returns what changed of a workload in the last hour, the oldest first.
func (c *Collector) Changes(name Workload) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workloads[name]; w != nil {
		return w.changes
	}
	return nil
}
