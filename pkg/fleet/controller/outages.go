package controller

import (
	"fmt"
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

// outages finds the beginning and the end of each outage of one workload: of a service that
// is unhealthy for any Pod. Two rounds in a row must agree on its status and extent, so that
// an outage that spreads, or a Pod that is late, makes one Event and not several.
type outages struct {
	services map[string]*outage
}

type outage struct {
	told   bool   // an Event told that it began
	latest string // status and extent of the latest round
}

// newOutages goes on from a status that an earlier leader wrote: its outages were told.
func newOutages(before *v1alpha1.DependencyHealthStatus) *outages {
	o := &outages{services: map[string]*outage{}}
	for i := range before.Services {
		if s := &before.Services[i]; s.Extent != "" {
			o.services[s.Name] = &outage{told: true}
		}
	}
	return o
}

// resumed returns outages that go on from a status, with what the latest round found.
func (o *outages) resumed(before *v1alpha1.DependencyHealthStatus) *outages {
	next := newOutages(before)
	for name, was := range o.services {
		if next.services[name] == nil {
			next.services[name] = &outage{}
		}
		next.services[name].latest = was.latest
	}
	return next
}

// next returns the Events of a round. A service of which too few Pods can tell begins and
// ends nothing.
func (o *outages) next(s *fleet.Summary) (notes []note) {
	for i := range s.Services {
		service := &s.Services[i]
		was := o.services[service.Name]
		if was == nil {
			was = &outage{}
			o.services[service.Name] = was
		}
		now := service.Status.String() + " " + string(service.Extent)
		agree := was.latest == now
		was.latest = now
		failing := service.Extent != fleet.ExtentNone
		switch {
		case !agree || was.told == failing || service.Status == health.Unknown:
		case failing:
			was.told = true
			notes = append(notes, note{s.At, service.Name, true, reasonUnhealthy, begun(service)})
		default:
			was.told = false
			notes = append(notes, note{s.At, service.Name, false, reasonHealthy, service.Name + " is usable again for every Pod that answers"})
		}
	}
	return notes
}

// begun says what is wrong, for how many Pods, why and where.
func begun(s *fleet.ServiceSummary) string {
	words := fmt.Sprintf("%s is unhealthy for %d of %d Pods", s.Name, s.Pods[health.Unhealthy], s.Telling())
	if len(s.Reasons) > 0 {
		words += " (" + string(s.Reasons[0].Reason) + ")"
	}
	switch s.Extent {
	case fleet.ExtentShared:
		words += ": the fault is shared"
	default:
		words += fmt.Sprintf(": %s %s", s.Extent, strings.Join(s.Names, ", "))
	}
	return words
}
