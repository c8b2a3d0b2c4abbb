//go:build e2e

package cluster_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// history is all that the API server told of one kind of object, each change with
// its time, so that nothing short is missed.
type history[T client.Object] struct {
	t  testing.TB
	mu sync.Mutex
	// states[0] is empty; each later one is what was there from its time on.
	states  []state[T]
	changed chan struct{} // closed and replaced with each state
}

type state[T client.Object] struct {
	at      time.Time
	objects map[types.UID]T
}

// follow watches until the test ends. list is an empty list of the kind.
func follow[T client.Object](t testing.TB, list client.ObjectList, options ...client.ListOption) *history[T] {
	t.Helper()
	h := &history[T]{t: t, states: []state[T]{{at: time.Now()}}, changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	// "0": what the API server has at hand will do. The newest would need an etcd that
	// tells how far it is, which Debian's does not.
	newest := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}
	events, err := kube.Watch(ctx, list, append(options, newest)...)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { h.read(ctx, events) })
	t.Cleanup(func() {
		cancel()
		events.Stop()
		reader.Wait()
	})
	return h
}

func (h *history[T]) read(ctx context.Context, events watch.Interface) {
	var last runtime.Object
	for event := range events.ResultChan() {
		if object, ok := event.Object.(T); ok {
			h.add(event.Type, object)
		}
		last = event.Object
	}
	if ctx.Err() == nil {
		h.t.Errorf("the API server ended a watch before the test did: %v", last)
	}
}

func (h *history[T]) add(change watch.EventType, object T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	objects := maps.Clone(h.states[len(h.states)-1].objects)
	if objects == nil {
		objects = map[types.UID]T{}
	}
	if change == watch.Deleted {
		delete(objects, object.GetUID())
	} else {
		objects[object.GetUID()] = object
	}
	h.states = append(h.states, state[T]{time.Now(), objects})
	close(h.changed)
	h.changed = make(chan struct{})
}

// since returns the state at that time and all later ones, and what ends with the
// next change.
func (h *history[T]) since(from time.Time) ([]state[T], <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := 0
	for i, s := range h.states {
		if !s.at.After(from) {
			first = i
		}
	}
	return slices.Clone(h.states[first:]), h.changed
}

// now returns the objects that are there, the oldest first.
func (h *history[T]) now() []T {
	states, _ := h.since(time.Now())
	return states[0].sorted()
}

func (s state[T]) sorted() []T {
	return slices.SortedFunc(maps.Values(s.objects), func(a, b T) int {
		return cmp.Or(
			a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time), // in whole seconds
			strings.Compare(a.GetName(), b.GetName()),
		)
	})
}

// await returns when the condition was met first, from that time on, and fails the
// test if that takes longer than the limit.
func (h *history[T]) await(from time.Time, limit time.Duration, what string, met func([]T) bool) time.Time {
	h.t.Helper()
	deadline := time.After(time.Until(from.Add(limit)))
	for {
		states, changed := h.since(from)
		for _, s := range states {
			if met(s.sorted()) {
				return later(s.at, from)
			}
		}
		select {
		case <-changed:
		case <-deadline:
			h.t.Fatalf("%s: not so within %s", what, limit)
		}
	}
}

// always finds whether every state since that time keeps the rule; what names the
// objects in the table.
func (h *history[T]) always(from time.Time, what string, keeps func([]T) bool) finding {
	h.t.Helper()
	states, _ := h.since(from)
	for n, s := range states {
		if !keeps(s.sorted()) {
			after := later(s.at, from).Sub(from).Seconds()
			return finding{fmt.Sprintf("%s: state %d of %d, after %.1f s, breaks the rule", what, n+1, len(states), after), false}
		}
	}
	return finding{fmt.Sprintf("%s: %d of %d states in %.1f s", what, len(states), len(states), time.Since(from).Seconds()), true}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
