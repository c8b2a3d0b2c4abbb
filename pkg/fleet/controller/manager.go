package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
)

// component is the name of the program towards the API server.
const component = "reims-health-fleet"

// shutdownTimeout bounds the shutdown of everything that the manager runs.
const shutdownTimeout = 4 * time.Second

// Options configure a manager.
type Options struct {
	// Collector asks the sidecars. The manager runs it. Required.
	Collector *fleet.Collector
	// Namespaces are the namespaces to watch. The default is all.
	Namespaces []string
	// LeaderElection must be set if there are several replicas: only the leader writes.
	LeaderElection bool
	// Namespace is the namespace of the Lease, and Identity the name of this replica in it. Both are
	// required with LeaderElection.
	Namespace, Identity string
	// HealthAddr is the address of /healthz and /readyz: host:port. /healthz fails if the
	// collector hangs; /readyz fails until the objects of a namespace have been read once. An API
	// server that is away later changes neither. The default is to serve neither.
	HealthAddr string
	// Registry receives the metrics of the writes. Required.
	Registry prometheus.Registerer
	// Log is required.
	Log *slog.Logger
}

// New returns a manager that runs the collector and everything that uses the API server.
// It connects when it is started, and waits while the API server is away or denies access.
func New(config *rest.Config, o Options) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{discoveryv1.AddToScheme, eventsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make a scheme: %w", err)
		}
	}
	config = rest.AddUserAgent(config, component)
	config.QPS = -1 // no limit: the writer limits itself, and the API server has priority and fairness
	m, err := ctrl.NewManager(config, manager.Options{
		Scheme:                  scheme,
		Logger:                  logr.FromSlogHandler(o.Log.Handler()),
		Metrics:                 metricsserver.Options{BindAddress: "0"}, // its registry is global
		HealthProbeBindAddress:  o.HealthAddr,
		GracefulShutdownTimeout: new(shutdownTimeout),
		// Fixed, since asking the API server for the kinds would fail while it is away.
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return kinds(), nil },
	})
	if err != nil {
		return nil, fmt.Errorf("make a manager: %w", err)
	}
	if err := add(m, config, o); err != nil {
		return nil, err
	}
	return m, nil
}

// kinds maps the kinds that are read and written to their resources.
func kinds() meta.RESTMapper {
	all := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.GroupVersion().WithKind("DependencyHealth"), v1alpha1.GroupVersion().WithKind("DependencyHealthList"),
		discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), discoveryv1.SchemeGroupVersion.WithKind("EndpointSliceList"),
		eventsv1.SchemeGroupVersion.WithKind("Event"),
	} {
		all.Add(kind, meta.RESTScopeNamespace)
	}
	return all
}

// add adds everything that the manager runs.
func add(m manager.Manager, config *rest.Config, o Options) error {
	read, err := newCaches(m, config, o.Namespaces, o.Log)
	if err != nil {
		return err
	}
	c, err := client.New(config, client.Options{
		HTTPClient: m.GetHTTPClient(), Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), Cache: &client.CacheOptions{Reader: read},
	})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	w, err := newWriter(c, m.GetAPIReader(), o.Identity, o.Registry, o.Log)
	if err != nil {
		return err
	}
	o.Collector.Subscribe(w.observe)
	t := &targets{reader: c, collector: o.Collector, forget: w.forget}
	leading := manager.Runnable(EveryReplica(func(ctx context.Context) error { w.lead(ctx); return nil }))
	if o.LeaderElection {
		if leading, err = newElection(config, o.Namespace, o.Identity, w.lead); err != nil {
			return err
		}
	}
	return errors.Join(
		read.run(m),
		t.setup(m, read),
		m.Add(EveryReplica(o.Collector.Run)),
		m.Add(leading),
		m.AddHealthzCheck("asking", func(*http.Request) error { return o.Collector.Alive() }),
		m.AddReadyzCheck("reading", func(*http.Request) error { return read.synced() }),
	)
}

// EveryReplica is a runnable that runs in every replica, not only in the leader.
type EveryReplica func(context.Context) error

// Start implements [manager.Runnable].
func (f EveryReplica) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements [manager.LeaderElectionRunnable].
func (EveryReplica) NeedLeaderElection() bool { return false }
