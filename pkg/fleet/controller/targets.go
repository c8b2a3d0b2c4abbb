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

// settleTime is how long EndpointSlices may go on changing before the target follows: a
// rollout or an outage of a large workload changes them many times per second.
const settleTime = 250 * time.Millisecond

// targets keeps the collector's workloads as the cluster has them.
type targets struct {
	reader    client.Reader
	collector *fleet.Collector
	forget    func(fleet.Workload) // called when an object is gone
}

// noTimeout is for how long a namespace may not be readable before the program ends.
const noTimeout = 100 * 365 * 24 * time.Hour

// setup registers a reconciler for each cache. They run in every replica.
func (t *targets) setup(m manager.Manager, read *caches) error {
	for namespace, c := range read.of {
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

// onSlice has the objects reconciled whose Service an EndpointSlice is of, once it has
// settled.
func (t *targets) onSlice() handler.TypedEventHandler[*discoveryv1.EndpointSlice, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := func(ctx context.Context, slice *discoveryv1.EndpointSlice, queue queue) {
		var all v1alpha1.DependencyHealthList
		if err := t.reader.List(ctx, &all, client.InNamespace(slice.GetNamespace())); err != nil {
			return // the cache has none yet: each object is reconciled when it comes in
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

// Reconcile tells the collector what an object wants and which Pods its Service has.
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

// targetOf returns what to ask for an object.
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
// families is there once, with the one of IPv4. Pods that are being deleted are left out:
// their sidecars say not ready, and nothing is wrong.
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
	if err != nil || !address.IsGlobalUnicast() { // of a type that we do not know, or not of a Pod
		return fleet.Pod{}, false
	}
	pod := fleet.Pod{
		// An endpoint that is no Pod, of a Service without a selector, is known by its address.
		UID: address.String(), Name: address.String(),
		Node: value(e.NodeName), Zone: value(e.Zone),
		Address: netip.AddrPortFrom(address, port),
		// `ready` is always true where not-ready addresses are published; without `serving`,
		// from an older control plane, it is what there is.
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

// stripSlice drops what is not used of an EndpointSlice before it is kept in memory.
func stripSlice(object any) (any, error) {
	slice, ok := object.(*discoveryv1.EndpointSlice)
	if !ok { // what stands for a deletion that was missed
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
