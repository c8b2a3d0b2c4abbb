package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

// caches has one cache per namespace, or one for all namespaces under "". They are separate so that a
// namespace that cannot be read does not block the others. It implements [client.Reader].
type caches struct {
	byNamespace map[string]cache.Cache
	ready       atomic.Bool // at least one has been filled
}

func newCaches(m manager.Manager, config *rest.Config, namespaces []string, log *slog.Logger) (*caches, error) {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	all := &caches{byNamespace: map[string]cache.Cache{}}
	for _, namespace := range namespaces {
		o := cacheOptions(namespace, newWatchErrors(log.With("namespace", cmp.Or(namespace, "all")), time.Now))
		o.HTTPClient, o.Scheme, o.Mapper = m.GetHTTPClient(), m.GetScheme(), m.GetRESTMapper()
		c, err := cache.New(config, o)
		if err != nil {
			return nil, fmt.Errorf("make a cache of namespace %q: %w", namespace, err)
		}
		all.byNamespace[namespace] = c
	}
	return all, nil
}

// cacheOptions keeps only the two kinds in memory, and only the fields that are used.
func cacheOptions(namespace string, onError toolscache.WatchErrorHandlerWithContext) cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler:    onError,
		DefaultNamespaces:           map[string]cache.Config{namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&discoveryv1.EndpointSlice{}: {
				Label:     labels.SelectorFromSet(labels.Set{SidecarsLabel: "true"}),
				Transform: stripSlice,
			},
		},
	}
}

// run adds the caches to the manager.
func (a *caches) run(m manager.Manager) error {
	var failed []error
	for _, c := range a.byNamespace {
		failed = append(failed, m.Add(EveryReplica(c.Start)), m.Add(EveryReplica(func(ctx context.Context) error {
			for _, kind := range []client.Object{&v1alpha1.DependencyHealth{}, &discoveryv1.EndpointSlice{}} {
				if _, err := c.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
					return fmt.Errorf("watch %T: %w", kind, err)
				}
			}
			if c.WaitForCacheSync(ctx) {
				a.ready.Store(true)
			}
			return nil
		})))
	}
	return errors.Join(failed...)
}

// synced returns an error until one of the caches has been filled.
func (a *caches) synced() error {
	if !a.ready.Load() {
		return errors.New("no namespace has been read yet: see the log")
	}
	return nil
}

func (a *caches) in(namespace string) (cache.Cache, error) {
	if c := a.byNamespace[namespace]; c != nil {
		return c, nil
	}
	if c := a.byNamespace[metav1.NamespaceAll]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("namespace %q is not one of FLEET_NAMESPACES", namespace)
}

// Get implements [client.Reader].
func (a *caches) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	c, err := a.in(key.Namespace)
	if err != nil {
		return err
	}
	return c.Get(ctx, key, object, opts...)
}

// List implements [client.Reader], in one namespace.
func (a *caches) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	c, err := a.in((&client.ListOptions{}).ApplyOptions(opts).Namespace)
	if err != nil {
		return err
	}
	return c.List(ctx, list, opts...)
}

// watchRecovery is the time without an error after which a watch counts as recovered: client-go waits at most
// 30 s between two attempts, and an attempt may take as long.
const watchRecovery = 2 * time.Minute

// newWatchErrors returns a handler that logs why a watch ended. While client-go keeps trying, it logs each
// kind of object and cause once.
func newWatchErrors(log *slog.Logger, now func() time.Time) toolscache.WatchErrorHandlerWithContext {
	type failure struct {
		cause string
		at    time.Time // of the latest
	}
	var mu sync.Mutex
	latest := map[string]failure{} // by what was watched
	return func(ctx context.Context, r *toolscache.Reflector, err error) {
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || ctx.Err() != nil {
			return // the normal end of a long watch
		}
		kind, cause := r.TypeDescription(), cmp.Or(string(apierrors.ReasonForError(err)), "unreachable")
		mu.Lock()
		before := latest[kind]
		latest[kind] = failure{cause, now()}
		mu.Unlock()
		if before.cause == cause && now().Sub(before.at) < watchRecovery {
			return
		}
		advice := ""
		switch apierrors.ReasonForError(err) {
		case metav1.StatusReasonForbidden:
			advice = "give the service account the rights of the chart's role"
		case metav1.StatusReasonNotFound:
			advice = "install the CustomResourceDefinition of the chart"
		default:
		}
		log.Warn("watching the cluster fails; the known Pods are still asked",
			"kind", kind, "cause", cause, "advice", advice, "error", err)
	}
}
