package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
	"github.com/reims/reims-health/pkg/health"
)

// spreadTimeout is how long the Event of an outage waits while the outage spreads.
const spreadTimeout = 30 * time.Second

// outages finds the beginning and the end of each outage of one workload. An outage is the time in which
// a service is unhealthy for any Pod. Two rounds must agree before there is an Event, so that an outage
// that spreads, or a slow Pod, causes one Event and not several. They agree if they have the same status
// and extent, and the second has no more failing Pods. The second must be at least one interval after
// the first, since rounds that are closer together use the same answers.
type outages struct {
	services map[string]*outage
}

type outage struct {
	announced bool      // there was an Event for its beginning
	began     time.Time // the first round with the fault; zero without a fault
	seen      verdict   // of the latest rounds
	since     time.Time // the first round with this verdict
	failing   int       // the largest number of failing Pods since then
}

type verdict struct {
	status health.Status
	extent fleet.Extent
}

// newOutages returns the outages that a status, which an earlier leader wrote, has as announced.
func newOutages(before *v1alpha1.DependencyHealthStatus) *outages {
	o := &outages{services: map[string]*outage{}}
	for i := range before.Services {
		if s := &before.Services[i]; s.Announced {
			o.services[s.Name] = &outage{announced: true}
		}
	}
	return o
}

// announced reports whether the latest Event about a service says that it is unhealthy.
func (o *outages) announced(service string) bool {
	state := o.services[service]
	return state != nil && state.announced
}

// resumed returns the outages with announced as in a status, and with the rounds seen so far.
func (o *outages) resumed(before *v1alpha1.DependencyHealthStatus) *outages {
	next := newOutages(before)
	for name, state := range o.services {
		resumed := *state
		resumed.announced = next.announced(name)
		next.services[name] = &resumed
	}
	return next
}

// next returns the Events of a round. A service that is unknown, since too few Pods have a result,
// begins and ends no outage. A service that no Pod has any more is removed.
func (o *outages) next(s *fleet.Summary) (events []pendingEvent) {
	if s.Status != health.Unknown {
		maps.DeleteFunc(o.services, func(name string, _ *outage) bool {
			return !slices.ContainsFunc(s.Services, func(each fleet.ServiceSummary) bool { return each.Name == name })
		})
	}
	for i := range s.Services {
		service := &s.Services[i]
		state := o.services[service.Name]
		if state == nil {
			state = &outage{}
			o.services[service.Name] = state
		}
		agreed := state.agrees(service, s.At, s.Interval)
		failing := service.Extent != fleet.ExtentNone
		switch {
		case !agreed || state.announced == failing || service.Status == health.Unknown:
		case failing:
			state.announced = true
			events = append(events, pendingEvent{s.At, service.Name, true, reasonUnhealthy, unhealthyMessage(service)})
		default:
			state.announced = false
			events = append(events, pendingEvent{s.At, service.Name, false, reasonHealthy, service.Name + " is usable again for every Pod that answers"})
		}
	}
	return events
}

// agrees stores the result of a round, and reports whether an earlier round agrees with it.
func (o *outage) agrees(s *fleet.ServiceSummary, at time.Time, interval time.Duration) bool {
	now, failing := verdict{s.Status, s.Extent}, s.Pods[health.Unhealthy]
	if s.Extent == fleet.ExtentNone {
		o.began = time.Time{}
	} else if o.began.IsZero() {
		o.began = at
	}
	spreads := failing > o.failing && at.Sub(o.began) < max(spreadTimeout, 3*interval)
	if o.since.IsZero() || now != o.seen || spreads {
		o.seen, o.since, o.failing = now, at, failing
		return false
	}
	o.failing = max(o.failing, failing)
	return at.Sub(o.since) >= interval
}

// unhealthyMessage says which service is unhealthy, for how many Pods, why and where.
func unhealthyMessage(s *fleet.ServiceSummary) string {
	text := fmt.Sprintf("%s is unhealthy for %d of %d Pods", s.Name, s.Pods[health.Unhealthy], s.Telling())
	if s.Reason != "" {
		text += " (" + string(s.Reason) + ")"
	}
	switch s.Extent {
	case fleet.ExtentShared:
		text += ": the fault is shared"
	default:
		text += fmt.Sprintf(": %s %s", s.Extent, strings.Join(s.Names, ", "))
	}
	return text
}
