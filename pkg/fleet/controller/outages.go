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

// The reasons of Events.
const (
	reasonUnhealthy = "DependencyUnhealthy"
	reasonHealthy   = "DependencyHealthy"
)

// note is an Event to write. Its time and its service tell it from all others of an object.
type note struct {
	at              time.Time
	service         string
	warning         bool
	reason, message string
}

// patience is how long an outage that goes on to spread waits for its Event.
const patience = 30 * time.Second

// outages finds the beginning and the end of each outage of one workload: of a service that
// is unhealthy for any Pod. Two rounds must agree before an Event tells, so that an outage that
// spreads, or a Pod that is late, makes one Event and not several: on the status and the extent, and
// that it does not fail for more Pods. The second is one interval after the first, or later, since
// rounds that are less apart rest on the same answers.
type outages struct {
	services map[string]*outage
}

type outage struct {
	announced bool      // an Event told that it began
	began     time.Time // when the first round saw it; zero while there is none
	seen      verdict   // what the rounds agree on
	since     time.Time // from when
	failing   int       // the most Pods since then
}

type verdict struct {
	status health.Status
	extent fleet.Extent
}

// newOutages goes on from a status that an earlier leader wrote.
func newOutages(before *v1alpha1.DependencyHealthStatus) *outages {
	o := &outages{services: map[string]*outage{}}
	for i := range before.Services {
		if s := &before.Services[i]; s.Announced {
			o.services[s.Name] = &outage{announced: true}
		}
	}
	return o
}

// announced reports whether an Event told that a service is unhealthy, and none that it no longer is.
func (o *outages) announced(service string) bool {
	was := o.services[service]
	return was != nil && was.announced
}

// resumed returns outages that go on from a status, with what the latest round found.
func (o *outages) resumed(before *v1alpha1.DependencyHealthStatus) *outages {
	next := newOutages(before)
	for name, was := range o.services {
		resumed := *was
		resumed.announced = next.announced(name)
		next.services[name] = &resumed
	}
	return next
}

// next returns the Events of a round. A service of which too few Pods can tell begins and
// ends nothing. One that the Pods no longer have is forgotten.
func (o *outages) next(s *fleet.Summary) (notes []note) {
	if s.Status != health.Unknown {
		maps.DeleteFunc(o.services, func(name string, _ *outage) bool {
			return !slices.ContainsFunc(s.Services, func(each fleet.ServiceSummary) bool { return each.Name == name })
		})
	}
	for i := range s.Services {
		service := &s.Services[i]
		was := o.services[service.Name]
		if was == nil {
			was = &outage{}
			o.services[service.Name] = was
		}
		agreed := was.agrees(service, s.At, s.Interval)
		failing := service.Extent != fleet.ExtentNone
		switch {
		case !agreed || was.announced == failing || service.Status == health.Unknown:
		case failing:
			was.announced = true
			notes = append(notes, note{s.At, service.Name, true, reasonUnhealthy, begun(service)})
		default:
			was.announced = false
			notes = append(notes, note{s.At, service.Name, false, reasonHealthy, service.Name + " is usable again for every Pod that answers"})
		}
	}
	return notes
}

// agrees takes in what a round found, and reports whether an earlier one has found the same.
func (o *outage) agrees(s *fleet.ServiceSummary, at time.Time, interval time.Duration) bool {
	now, failing := verdict{s.Status, s.Extent}, s.Pods[health.Unhealthy]
	if s.Extent == fleet.ExtentNone {
		o.began = time.Time{}
	} else if o.began.IsZero() {
		o.began = at
	}
	spreads := failing > o.failing && at.Sub(o.began) < max(patience, 3*interval)
	if o.since.IsZero() || now != o.seen || spreads {
		o.seen, o.since, o.failing = now, at, failing
		return false
	}
	o.failing = max(o.failing, failing)
	return at.Sub(o.since) >= interval
}

// begun says what is wrong, for how many Pods, why and where.
func begun(s *fleet.ServiceSummary) string {
	words := fmt.Sprintf("%s is unhealthy for %d of %d Pods", s.Name, s.Pods[health.Unhealthy], s.Telling())
	if s.Reason != "" {
		words += " (" + string(s.Reason) + ")"
	}
	switch s.Extent {
	case fleet.ExtentShared:
		words += ": the fault is shared"
	default:
		words += fmt.Sprintf(": %s %s", s.Extent, strings.Join(s.Names, ", "))
	}
	return words
}
