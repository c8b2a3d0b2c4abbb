package kube

import (
	"fmt"
	"slices"
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

// event is the content of an Event. Events that differ only in the counts of peers are one
// Event with a count.
type event struct {
	kind, reason string
	message      text
}

// key returns the part that is the same in equal Events.
func (e event) key() event {
	e.message.full = ""
	return e
}

// eventOf returns one Event about all services whose status differs between two
// views, or whose scope was decided differently; reported is nil
// before the first Event. There is no Event if nothing differs, or for services that were
// healthy from the start.
func eventOf(reported, now *health.View) (e event, ok bool) {
	worst, ready := health.Unknown, now.Readiness()
	var changes []change
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
			changes = append(changes, change{r.Status, plain(r.Service.Name + " is healthy again")})
		default:
			changes = append(changes, change{r.Status, clause(r, ready.Held(r.Service.Name))})
		}
		worst = max(worst, r.Status)
	}
	if len(changes) == 0 {
		return event{}, false
	}
	e = event{corev1.EventTypeNormal, eventHealthy, summary(changes)}
	switch worst {
	case health.Unhealthy:
		e.kind, e.reason = corev1.EventTypeWarning, eventUnhealthy
	case health.Degraded:
		e.kind, e.reason = corev1.EventTypeWarning, eventDegraded
	default:
	}
	return e, true
}

// change is the part of an Event about one service.
type change struct {
	status health.Status
	text   text
}

// summary joins all changes in the order of the services. If that exceeds the API's
// limit, the worst come first, and the rest are counted.
func summary(changes []change) text {
	texts := func() []text {
		all := make([]text, len(changes))
		for i, c := range changes {
			all[i] = c.text
		}
		return all
	}
	joined := join(texts())
	if len(joined.full) <= maxEventMessage {
		return joined
	}
	slices.SortStableFunc(changes, func(a, b change) int { return int(b.status) - int(a.status) })
	all := texts()
	for n := len(all) - 1; n > 0; n-- {
		if full := join(all[:n]).full + fmt.Sprintf("; and %d more", len(all)-n); len(full) <= maxEventMessage {
			return text{full: full, stable: joined.stable}
		}
	}
	return text{full: cut(all[0].full), stable: joined.stable}
}

// cut shortens a message to the API's limit, at a character boundary.
func cut(message string) string {
	if len(message) <= maxEventMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxEventMessage], "")
}
