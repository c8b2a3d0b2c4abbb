package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Summarise makes the summary of one round. pods has one entry per Pod of the target, in the same
// order; the summary keeps it. previous is the summary before, or nil; the Since of services whose
// status is the same comes from it.
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
	s.Status = s.workloadStatus(asked)
	return s
}

// maxWorkloadServices bounds the services of a summary, since each Pod may have services of its own.
// It is also the limit in the status of a DependencyHealth.
const maxWorkloadServices = 64

// serviceNames returns the sorted names of the services in the Pods' answers. If there are too many,
// it returns those that most Pods have; if no Pod answers, those of the previous summary.
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

// workloadStatus returns the status of the workload; see Summary.Status for the rules.
func (s *Summary) workloadStatus(asked int) health.Status {
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
	reasons, worst := map[health.Reason]int{}, map[health.Reason]int{} // worst counts those of unhealthy results
	notAnswering, failed := 0, 0                                       // failed were asked and did not answer
	for i := range pods {
		p := &pods[i]
		answer, has := p.Service(name)
		switch {
		case has:
			s.Pods[answer.Status]++
		case !p.Answers():
			notAnswering++
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
	s.Status = serviceStatus(s.Pods, failed)
	if notAnswering > 0 {
		s.Pods[health.Unknown] += notAnswering
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

// serviceStatus returns the status of a service from the number of Pods per status. failed is the
// number of Pods that were asked and did not answer.
func serviceStatus(pods map[health.Status]int, failed int) health.Status {
	failing, degraded, healthy := pods[health.Unhealthy], pods[health.Degraded], pods[health.Healthy]
	withResult := failing + degraded + healthy
	switch {
	case withResult == 0 || withResult < failed+pods[health.Unknown]:
		return health.Unknown
	case 2*failing >= withResult:
		return health.Unhealthy
	case failing+degraded > 0:
		return health.Degraded
	default:
		return health.Healthy
	}
}

// service returns the summary of a service, or nil. s may be nil.
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
	// maxChanges is the largest number of changes that are kept per workload.
	maxChanges = 100
)

// Change is a change of the status or the extent of a service between two rounds. If Service is "",
// it is a change of the workload's status.
type Change struct {
	At       time.Time
	Service  string
	From, To Verdict
}

// Verdict is the result of a round for a service or a workload.
type Verdict struct {
	Status health.Status
	Extent Extent
	Names  []string
	// Failing counts the Pods for which the service is unhealthy, Pods those that have a result, and
	// Unknown those that have none. For a workload, Pods counts all Pods.
	Failing, Pods, Unknown int
	Reason                 health.Reason // the most frequent, or ""
}

// changes are the latest changes, the oldest first. A slice is never modified in place.
type changes []Change

// add returns the changes of the last hour and those between the two summaries. The first summary
// of a workload is not a change.
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

// verdict returns the verdict on the service, or the zero Verdict if s is nil: the service is new.
func (s *ServiceSummary) verdict() Verdict {
	if s == nil {
		return Verdict{}
	}
	return Verdict{
		Status: s.Status, Extent: s.Extent, Names: s.Names, Reason: s.Reason,
		Failing: s.Pods[health.Unhealthy], Pods: s.Telling(), Unknown: s.Pods[health.Unknown],
	}
}

// Changes returns the changes of a workload in the last hour, the oldest first.
func (c *Collector) Changes(name Workload) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.workloads[name]; w != nil {
		return w.changes
	}
	return nil
}
