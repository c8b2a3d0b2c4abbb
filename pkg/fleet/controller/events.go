package controller

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

const (
	// maxPendingEvents bounds the Events of one object that wait while they cannot be created. The
	// oldest are dropped.
	maxPendingEvents = 16
	// maxEventNote and maxInstance are the API's limits, in bytes.
	maxEventNote = 1024
	maxInstance  = 128
)

// The reasons of Events.
const (
	reasonUnhealthy = "DependencyUnhealthy"
	reasonHealthy   = "DependencyHealthy"
)

// pendingEvent is an Event that is not created yet. Time, service and reason identify it in its object.
type pendingEvent struct {
	at              time.Time
	service         string
	warning         bool
	reason, message string
}

// eventsDue returns when the Events may be created. They wait for the status, whose field announced
// keeps the next leader from creating them again; but not while writing the status fails.
func (o *object) eventsDue() time.Time {
	if o.pending != nil && o.status.backoff == 0 && o.status.due.After(o.events.due) {
		return o.status.due
	}
	return o.events.due
}

// writeEvents creates Events, and returns those that it could not create.
func (w *writer) writeEvents(ctx context.Context, about *v1alpha1.DependencyHealth, pendingEvents []pendingEvent) ([]pendingEvent, error) {
	for i, n := range pendingEvents {
		if err := w.client.Create(ctx, w.newEvent(about, n)); err != nil && !apierrors.IsAlreadyExists(err) {
			return pendingEvents[i:], fmt.Errorf("write an Event about DependencyHealth %s/%s: %w", about.Namespace, about.Name, err)
		}
	}
	return nil, nil
}

// newEvent returns the API object of an Event. Its name is a hash of its content, so that a repeated
// attempt, after a response was lost, does not create it twice.
func (w *writer) newEvent(about *v1alpha1.DependencyHealth, n pendingEvent) *eventsv1.Event {
	hash := fnv.New64a()
	fmt.Fprint(hash, about.UID, n.service, n.reason, n.at.UnixNano())
	kind := corev1.EventTypeNormal
	if n.warning {
		kind = corev1.EventTypeWarning
	}
	const maxName = 253 - len(".0123456789abcdef")
	object := strings.TrimRight(about.Name[:min(len(about.Name), maxName)], "-.")
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: about.Namespace, Name: fmt.Sprintf("%s.%016x", object, hash.Sum64())},
		EventTime:  metav1.NewMicroTime(n.at), Type: kind, Reason: n.reason, Action: "Check", Note: truncate(n.message, maxEventNote),
		ReportingController: component, ReportingInstance: w.instance[:min(len(w.instance), maxInstance)],
		Regarding: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion().String(), Kind: "DependencyHealth",
			Namespace: about.Namespace, Name: about.Name, UID: about.UID,
		},
	}
}

// truncate returns text, cut to at most the given number of bytes.
func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
