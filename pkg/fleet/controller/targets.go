package controller

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

// settleTime is the delay between a change of EndpointSlices and the new target. It joins changes: a
// rollout or an outage of a large workload changes them many times per second.
const settleTime = 250 * time.Millisecond

// targets keeps the collector's targets the same as the objects in the cluster.
type targets struct {
	reader    client.Reader
	collector *fleet.Collector
	forget    func(fleet.Workload) // called when an object is gone
}

// noTimeout keeps the program running however long a namespace cannot be read.
const noTimeout = 100 * 365 * 24 * time.Hour

// setup registers a reconciler for each cache. They run in every replica.
func (t *targets) setup(m manager.Manager, read *caches) error {
	for namespace, c := range read.byNamespace {
		err := ctrl.NewControllerManagedBy(m).
			Named(strings.TrimSuffix("targets-"+namespace, "-")).
			WatchesRawSource(source.Kind(c, &v1alpha1.DependencyHealth{}, &handler.TypedEnqueueRequestForObject[*v1alpha1.DependencyHealth]{},
				predicate.TypedGenerationChangedPredicate[*v1alpha1.DependencyHealth]{})).
			WatchesRawSource(source.Kind(c, &discoveryv1.EndpointSlice{}, t.onSlice())).
			WithOptions(ctrlcontroller.Options{NeedLeaderElection: new(false), SkipNameValidation: new(true), CacheSyncTimeout: noTimeout}).
			Complete(t)
		if err != nil {
			return fmt.Errorf("watch DependencyHealth objects and EndpointSlices: %w", err)
		}
	}
	return nil
}

// onSlice reconciles the objects whose Service an EndpointSlice belongs to, after
// settleTime.
func (t *targets) onSlice() handler.TypedEventHandler[*discoveryv1.EndpointSlice, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := func(ctx context.Context, slice *discoveryv1.EndpointSlice, queue queue) {
		var all v1alpha1.DependencyHealthList
		if err := t.reader.List(ctx, &all, client.InNamespace(slice.GetNamespace())); err != nil {
			return // the cache is empty so far: each object is reconciled when it arrives
		}
		for i := range all.Items {
			if all.Items[i].Spec.Service == slice.GetLabels()[discoveryv1.LabelServiceName] {
				queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])}, settleTime)
			}
		}
	}
	return handler.TypedFuncs[*discoveryv1.EndpointSlice, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*discoveryv1.EndpointSlice], q queue) {
			enqueue(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*discoveryv1.EndpointSlice], q queue) {
			enqueue(ctx, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*discoveryv1.EndpointSlice], q queue) {
			enqueue(ctx, e.Object, q)
		},
	}
}

// Reconcile sets the collector's target for an object and the Pods of its Service.
func (t *targets) Reconcile(ctx context.Context, r reconcile.Request) (reconcile.Result, error) {
	name := fleet.Workload{Namespace: r.Namespace, Name: r.Name}
	var object v1alpha1.DependencyHealth
	switch err := t.reader.Get(ctx, r.NamespacedName, &object); {
	case apierrors.IsNotFound(err):
		t.collector.Remove(name)
		t.forget(name)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("read DependencyHealth %s: %w", name, err)
	}
	var slices discoveryv1.EndpointSliceList
	err := t.reader.List(ctx, &slices, client.InNamespace(r.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: object.Spec.Service})
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("list the EndpointSlices of Service %s/%s: %w", r.Namespace, object.Spec.Service, err)
	}
	t.collector.Set(targetOf(&object, slices.Items))
	return reconcile.Result{}, nil
}

// targetOf returns the target of an object.
func targetOf(object *v1alpha1.DependencyHealth, slices []discoveryv1.EndpointSlice) *fleet.Target {
	spec := &object.Spec
	t := &fleet.Target{
		Workload:   fleet.Workload{Namespace: object.Namespace, Name: object.Name},
		Generation: object.Generation,
		Service:    spec.Service,
		Interval:   spec.Interval.Duration,
		CA:         bytes.TrimSpace(spec.CABundle),
		Pods:       podsOf(slices, uint16(cmp.Or(spec.Port, 8008))), //nolint:gosec // validated by the API server
	}
	if len(t.CA) > 0 {
		t.ServerName = cmp.Or(spec.ServerName, spec.Service+"."+object.Namespace+".svc")
	}
	return t
}

// podsOf returns the Pods of EndpointSlices, sorted by UID. A Pod with addresses of both
// families is included once, with its IPv4 address. Terminating Pods are left out, since
// their sidecars are not ready on purpose.
func podsOf(all []discoveryv1.EndpointSlice, port uint16) []fleet.Pod {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b discoveryv1.EndpointSlice) int { return cmp.Compare(a.AddressType, b.AddressType) })
	seen := map[string]bool{}
	var pods []fleet.Pod
	for i := range all {
		for j := range all[i].Endpoints {
			pod, ok := podOf(&all[i].Endpoints[j], port)
			if ok && !seen[pod.UID] {
				seen[pod.UID] = true
				pods = append(pods, pod)
			}
		}
	}
	slices.SortFunc(pods, func(a, b fleet.Pod) int { return cmp.Compare(a.UID, b.UID) })
	return pods
}

func podOf(e *discoveryv1.Endpoint, port uint16) (fleet.Pod, bool) {
	if isTrue(e.Conditions.Terminating) || len(e.Addresses) == 0 {
		return fleet.Pod{}, false
	}
	address, err := netip.ParseAddr(e.Addresses[0])
	if err != nil || !address.IsGlobalUnicast() { // an unknown address type, or no Pod's address
		return fleet.Pod{}, false
	}
	pod := fleet.Pod{
		// The endpoints of a Service without a selector are not Pods: their address identifies them.
		UID: address.String(), Name: address.String(),
		Node: value(e.NodeName), Zone: value(e.Zone),
		Address: netip.AddrPortFrom(address, port),
		// `ready` is always true if not-ready addresses are published. An old control plane
		// has no `serving`.
		Ready: isTrue(cmp.Or(e.Conditions.Serving, e.Conditions.Ready)),
	}
	if ref := e.TargetRef; ref != nil && ref.UID != "" {
		pod.UID, pod.Name = string(ref.UID), ref.Name
	}
	return pod, true
}

func isTrue(b *bool) bool { return b != nil && *b }

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// objectKey returns the name of a workload's object.
func objectKey(w fleet.Workload) types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: w.Name}
}

// stripSlice removes the unused fields of an EndpointSlice before it is cached.
func stripSlice(object any) (any, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok { // a tombstone of a missed deletion
		return object, nil
	}
	slice.ManagedFields, slice.OwnerReferences, slice.Annotations, slice.Ports = nil, nil, nil, nil
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: slice.Labels[discoveryv1.LabelServiceName]}
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		e.Hints, e.Hostname, e.DeprecatedTopology = nil, nil, nil
		e.Addresses = slices.Clip(e.Addresses[:min(1, len(e.Addresses))])
		if ref := e.TargetRef; ref != nil {
			ref.Kind, ref.Namespace, ref.APIVersion, ref.ResourceVersion, ref.FieldPath = "", "", "", "", ""
		}
	}
	return slice, nil
}
