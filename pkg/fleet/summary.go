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
	for _, name := range serviceNames(pods) {
		s.Services = append(s.Services, summariseService(name, pods, previous, now))
	}
	s.Status = s.judge(asked)
	return s
}

// serviceNames returns the names of all services that a Pod answers for, sorted.
func serviceNames(pods []PodSummary) []string {
	seen := map[string]bool{}
	for i := range pods {
		if pods[i].Answers() {
			for _, s := range pods[i].Answer.Services {
				seen[s.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// judge returns the status of the workload.
func (s *Summary) judge(asked int) health.Status {
	if s.Answering == 0 || 2*s.Answering < asked {
		return health.Unknown
	}
	known, worst := true, health.Healthy
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
	reasons := map[health.Reason]int{}
	silent, failed := 0, 0 // failed have been asked
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
		return cmp.Or(b.Pods-a.Pods, cmp.Compare(a.Reason, b.Reason))
	})
	if s.Pods[health.Unhealthy] > 0 {
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
