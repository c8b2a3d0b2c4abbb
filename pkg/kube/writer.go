package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	// requestTimeout bounds each request.
	requestTimeout = 5 * time.Second
	// repeatWindow is the time within which an equal Event counts as the same
	// one. The API server keeps Events for an hour.
	repeatWindow = 10 * time.Minute
	// maxName is the longest name of an object, in bytes.
	maxName = 253
)

// writer sends the requests. Each call sends one request, or two if a repeated Event was deleted.
type writer struct {
	client  *rest.RESTClient
	pod     types.NamespacedName
	uid     types.UID
	repeats map[event]*repeat // by key
}

// repeat is an Event with its name, which stays the same after the first attempt to create it.
type repeat struct {
	name  string
	count int32     // the count that was written; 0 until the Event is known to exist
	last  time.Time // time of the latest attempt
}

// condition patches the Pod's condition. Conditions are merged by type, so the conditions of
// other writers stay. With the UID, the API server refuses the patch for another Pod of the same name.
func (w *writer) condition(ctx context.Context, c condition) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": w.uid},
		"status": map[string]any{"conditions": []map[string]any{{
			"type": ConditionType, "status": c.status, "reason": c.reason, "message": c.message.full,
			"lastTransitionTime": metav1.NewTime(c.since),
		}}},
	})
	if err != nil {
		return err
	}
	request := w.client.Patch(types.StrategicMergePatchType).Resource("pods").Name(w.pod.Name).SubResource("status")
	if err := w.send(ctx, request.Body(patch)); err != nil {
		return fmt.Errorf("patch the condition of pod %s: %w", w.pod, err)
	}
	return nil
}

// event writes an Event, or increments its count if it was written recently.
func (w *writer) event(ctx context.Context, e event, now time.Time) error {
	for key, r := range w.repeats {
		if now.Sub(r.last) > repeatWindow {
			delete(w.repeats, key)
		}
	}
	r := w.repeats[e.key()]
	if r == nil {
		r = &repeat{name: eventName(w.pod.Name, now)}
		w.repeats[e.key()] = r
	}
	r.last = now
	if r.count > 0 {
		err := w.increment(ctx, e, r)
		if !apierrors.IsNotFound(err) {
			return err
		}
		r.count = 0 // it was deleted
	}
	return w.create(ctx, e, r)
}

// create writes a new Event. If it exists already, an earlier attempt succeeded and its
// response was lost.
func (w *writer) create(ctx context.Context, e event, r *repeat) error {
	err := w.send(ctx, w.client.Post().Resource("events").Body(w.object(e, r)))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create an event about pod %s: %w", w.pod, err)
	}
	r.count = 1
	return nil
}

// increment increments the count of an Event. The message gets the current counts of peers.
func (w *writer) increment(ctx context.Context, e event, r *repeat) error {
	patch, err := json.Marshal(map[string]any{
		"count": r.count + 1, "lastTimestamp": metav1.NewTime(r.last), "message": e.message.full,
	})
	if err != nil {
		return err
	}
	request := w.client.Patch(types.MergePatchType).Resource("events").Name(r.name)
	if err := w.send(ctx, request.Body(patch)); err != nil {
		return fmt.Errorf("patch event %s: %w", r.name, err)
	}
	r.count++
	return nil
}

// send sends the request once. By default client-go would sleep for the Retry-After and
// retry up to ten times, with content that is outdated by then.
func (w *writer) send(ctx context.Context, request *rest.Request) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return request.Namespace(w.pod.Namespace).Param("fieldManager", manager).MaxRetries(0).Do(ctx).Error()
}

func (w *writer) object(e event, r *repeat) *corev1.Event {
	at := metav1.NewTime(r.last)
	return &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.pod.Namespace, Name: r.name},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: w.pod.Namespace, Name: w.pod.Name, UID: w.uid,
		},
		Type: e.kind, Reason: e.reason, Message: e.message.full,
		FirstTimestamp: at, LastTimestamp: at, Count: 1,
		Source:              corev1.EventSource{Component: manager},
		ReportingController: "reims.io/" + manager, ReportingInstance: w.pod.Name,
	}
}

// eventName returns a unique name: the Pod's name, cut to fit, and the time.
func eventName(pod string, now time.Time) string {
	suffix := "." + strconv.FormatInt(now.UnixNano(), 16)
	pod = pod[:min(len(pod), maxName-len(suffix))]
	return strings.TrimRight(pod, ".-") + suffix
}
