package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

// component is the name under which the program is known to the API server.
const component = "reims-health-fleet"

// shutdownTimeout bounds the end of everything that the manager runs.
const shutdownTimeout = 4 * time.Second

// Options are those of a manager.
type Options struct {
	// Collector asks the sidecars. The manager runs it. Required.
	Collector *fleet.Collector
	// Namespaces are those to look at. The default is all.
	Namespaces []string
	// LeaderElection says that there are several replicas, of which one is to write.
	LeaderElection bool
	// Namespace is that of the Lease, and Identity the name of this replica in it. Both are
	// required with LeaderElection.
	Namespace, Identity string
	// HealthAddr is where /healthz and /readyz are answered: host:port. Neither depends on the
	// API server. The default is nowhere.
	HealthAddr string
	// Registry gets the metrics of the writing. Required.
	Registry prometheus.Registerer
	// Log is required.
	Log *slog.Logger
}

// New returns a manager of everything that talks to the API server, and of the collector.
// It connects when it is started.
func New(config *rest.Config, o Options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{discoveryv1.AddToScheme, eventsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make a scheme: %w", err)
		}
	}
	config = rest.AddUserAgent(config, component)
	config.QPS = -1 // the writer bounds what it sends, and the API server has its own fairness
	m, err := ctrl.NewManager(config, manager.Options{
		Scheme:                  scheme,
		Logger:                  logr.FromSlogHandler(o.Log.Handler()),
		Metrics:                 metricsserver.Options{BindAddress: "0"}, // its registry is global
		HealthProbeBindAddress:  o.HealthAddr,
		GracefulShutdownTimeout: new(shutdownTimeout),
		Cache:                   cacheOptions(o.Namespaces, newWatchErrors(o.Log)),
	})
	if err != nil {
		return nil, fmt.Errorf("make a manager: %w", err)
	}
	if err := add(m, config, o); err != nil {
		return nil, err
	}
	return m, nil
}

// add gives the manager everything that it runs.
func add(m manager.Manager, config *rest.Config, o Options) error {
	w, err := newWriter(m.GetClient(), m.GetAPIReader(), o.Identity, o.Registry, o.Log)
	if err != nil {
		return err
	}
	o.Collector.Subscribe(w.observe)
	t := &targets{reader: m.GetClient(), collector: o.Collector, forget: w.forget}
	leading := manager.Runnable(Everywhere(func(ctx context.Context) error { w.lead(ctx); return nil }))
	if o.LeaderElection {
		if leading, err = newElection(config, o.Namespace, o.Identity, w.lead); err != nil {
			return err
		}
	}
	return errors.Join(
		t.setup(m),
		m.Add(Everywhere(o.Collector.Run)),
		m.Add(leading),
		m.AddHealthzCheck("ping", healthz.Ping),
		m.AddReadyzCheck("ping", healthz.Ping),
	)
}

// Everywhere is run in every replica, whichever leads.
type Everywhere func(context.Context) error

// Start implements [manager.Runnable].
func (f Everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements [manager.LeaderElectionRunnable].
func (Everywhere) NeedLeaderElection() bool { return false }

// cacheOptions has nothing but the two kinds kept in memory, and of those what is used.
func cacheOptions(namespaces []string, onError toolscache.WatchErrorHandlerWithContext) cache.Options {
	o := cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		DefaultWatchErrorHandler:    onError,
		ByObject: map[client.Object]cache.ByObject{
			&discoveryv1.EndpointSlice{}: {
				Label:     labels.SelectorFromSet(labels.Set{SidecarsLabel: "true"}),
				Transform: stripSlice,
			},
		},
	}
	if len(namespaces) > 0 {
		o.DefaultNamespaces = map[string]cache.Config{}
		for _, n := range namespaces {
			o.DefaultNamespaces[n] = cache.Config{}
		}
	}
	return o
}

// newWatchErrors returns a handler that logs why a watch ended, once for each kind of object
// and cause, since client-go tries again for as long as it takes.
func newWatchErrors(log *slog.Logger) toolscache.WatchErrorHandlerWithContext {
	var mu sync.Mutex
	told := map[string]string{} // cause, by what was watched
	return func(ctx context.Context, r *toolscache.Reflector, err error) {
		cause := cmp.Or(string(apierrors.ReasonForError(err)), "unreachable")
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || ctx.Err() != nil {
			return // what every long watch comes to
		}
		mu.Lock()
		before := told[r.TypeDescription()]
		told[r.TypeDescription()] = cause
		mu.Unlock()
		if before == cause {
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
		log.Warn("what changes in the cluster is not seen; the Pods that are known are asked on",
			"kind", r.TypeDescription(), "cause", cause, "advice", advice, "error", err)
	}
}
