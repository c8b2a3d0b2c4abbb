package fleet

import (
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

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
