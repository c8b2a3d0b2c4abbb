package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/pkg/health"
)

// The reasons of Events, by the worst status that a service changed to.
const (
	eventUnhealthy = "DependencyUnhealthy"
	eventDegraded  = "DependencyDegraded"
	eventHealthy   = "DependencyHealthy"
)

// maxEventMessage is the API's limit on the message of an Event, in bytes.
const maxEventMessage = 1024

// event is the content of an Event. Equal ones are one Event with a count.
type event struct{ kind, reason, message string }

// eventOf returns the one Event about every service whose status differs between two
// views; reported is nil before the first Event. There is none if nothing differs, nor for
// services that were healthy from the start.
func eventOf(reported, now *health.View) (e event, ok bool) {
	worst := health.Unknown
	var changes []string
	for i, r := range now.Results() {
		was := health.Unknown
		if reported != nil {
			was = reported.Results()[i].Status
		}
		switch {
		case r.Status == was, was == health.Unknown && r.Status == health.Healthy:
			continue
		case r.Status == health.Healthy:
			changes = append(changes, r.Service.Name+" is healthy again")
		default:
			changes = append(changes, clause(r))
		}
		worst = max(worst, r.Status)
	}
	if len(changes) == 0 {
		return event{}, false
	}
	e = event{corev1.EventTypeNormal, eventHealthy, strings.Join(changes, "; ")}
	switch worst {
	case health.Unhealthy:
		e.kind, e.reason = corev1.EventTypeWarning, eventUnhealthy
	case health.Degraded:
		e.kind, e.reason = corev1.EventTypeWarning, eventDegraded
	default:
	}
	if len(e.message) > maxEventMessage { // and no half of a character
		e.message = strings.ToValidUTF8(e.message[:maxEventMessage], "")
	}
	return e, true
}
