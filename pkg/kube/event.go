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

// event is the content of an Event. Those that differ in the counts of peers alone are one
// Event with a count.
type event struct {
	kind, reason string
	message      text
}

// key is what equal Events have in common.
func (e event) key() event {
	e.message.full = ""
	return e
}

// eventOf returns the one Event about every service whose status differs between two
// views, or whose fault turned out to be another Pod's too, or no longer; reported is nil
// before the first Event. There is none if nothing differs, nor for services that were
// healthy from the start.
func eventOf(reported, now *health.View) (e event, ok bool) {
	worst, ready := health.Unknown, now.Readiness()
	var changes []text
	for i, r := range now.Results() {
		was, decided := health.Unknown, false
		if reported != nil {
			last := reported.Results()[i]
			was, decided = last.Status, last.Scope != r.Scope && r.Scope != "" && r.Scope != health.ScopeUndecided
		}
		switch {
		case r.Status == was && !decided, was == health.Unknown && r.Status == health.Healthy:
			continue
		case r.Status == health.Healthy:
			changes = append(changes, plain(r.Service.Name+" is healthy again"))
		default:
			changes = append(changes, clause(r, ready.Held(r.Service.Name)))
		}
		worst = max(worst, r.Status)
	}
	if len(changes) == 0 {
		return event{}, false
	}
	e = event{corev1.EventTypeNormal, eventHealthy, join(changes)}
	switch worst {
	case health.Unhealthy:
		e.kind, e.reason = corev1.EventTypeWarning, eventUnhealthy
	case health.Degraded:
		e.kind, e.reason = corev1.EventTypeWarning, eventDegraded
	default:
	}
	e.message.full = cut(e.message.full)
	return e, true
}

// cut shortens a message to what the API takes, and not within a character.
func cut(message string) string {
	if len(message) <= maxEventMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxEventMessage], "")
}
