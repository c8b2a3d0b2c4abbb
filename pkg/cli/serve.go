package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/reims/reims-health/pkg/changelog"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/pkg/logqueue"
	"github.com/reims/reims-health/pkg/metrics"
	"github.com/reims/reims-health/pkg/override"
	"github.com/reims/reims-health/pkg/peers"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/state"
	"github.com/reims/reims-health/pkg/statuspage"
)

const (
	// drainTime is how long not_ready is answered before the listeners close.
	drainTime = time.Second
	// exitTime bounds the whole shutdown, even if something hangs.
	exitTime = 4500 * time.Millisecond
)

func newServe(from *source, logs *logqueue.Queue, build Build) *cobra.Command {
	return &cobra.Command{
		Use:         "serve",
		Annotations: queued(servePatience),
		Short:       "Probe the services and answer from the latest snapshot",
		Long: "Probe the services on a ticker and answer HTTP and Prometheus from the latest snapshot.\n" +
			"The environment configures it: see reims-health config.",
		SuggestFor: []string{"start", "run"},
		Example: "  reims-health serve\n" +
			"  reims-health serve --env-file .env",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := from.load(logs)
			if err != nil {
				return err
			}
			// What libraries print through the standard logger is redacted as well.
			slog.SetDefault(log)
			return redacted(cfg, bounded(cmd.Context(), log, func(ctx context.Context) error { return serve(ctx, cfg, from.kinds, logs, log, build) }))
		},
	}
}

// load reads the configuration. It logs the warnings with the configured logger, or
// prints them with the error.
func (s *source) load(stderr io.Writer) (*config.Config, *slog.Logger, error) {
	cfg, warnings, err := s.config()
	if err != nil {
		printWarnings(stderr, warnings)
		return nil, nil, err
	}
	log := newLogger(cfg, stderr)
	for _, w := range warnings {
		log.Warn("configuration", "variable", w.Variable, "warning", w.Text)
	}
	cfg.OnSecretHint(logHint(log))
	return cfg, log, nil
}

func logHint(log *slog.Logger) func(config.Problem) {
	return func(p config.Problem) {
		log.Warn("the file of a secret is suspicious", "variable", p.Variable, "warning", p.Text)
	}
}

// bounded runs f, and gives up waiting for it a while after ctx is done.
func bounded(ctx context.Context, log *slog.Logger, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }() // waited for, or ended by the process's exit
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(exitTime):
		log.Error("shutdown incomplete: exiting all the same", "after_ms", exitTime.Milliseconds())
		return nil
	}
}

// serve wires everything together and runs it until ctx is done.
func serve(ctx context.Context, cfg *config.Config, kinds dependency.Kinds, logs *logqueue.Queue, log *slog.Logger, build Build) error {
	fleet := &fleet{}
	services, closeClients, err := NewServices(cfg, kinds, fleet.pods, log)
	defer closeClients()
	if err != nil {
		return err
	}

	keeper := restoreState(cfg, services, log)
	monitor, err := health.NewMonitor(services)
	if err != nil {
		return err
	}
	past := history.New(services)
	self := peers.NewInstance()
	others := newPeers(cfg, self, monitor, log)
	fleet.peers.Store(others)
	token := &token{secret: cfg.Health.Token, log: log}
	shown := server.Options{
		Details: server.Details(cfg.Health.Details), History: past, Token: token.value,
		Peer: peers.NewHandler(monitor.View, self),
	}
	if cfg.Health.Page {
		page := func(details string) server.Page {
			return statuspage.New(monitor, past, statuspage.Options{
				Details: statuspage.Details(details), Instance: instance(cfg), Version: build.Version,
			})
		}
		all, operators := cfg.Health.PageShown()
		shown.Page = page(all)
		if operators != all {
			shown.OperatorPage = page(operators)
		}
	}
	handler := server.NewHandler(monitor, shown)
	prom := metrics.New(metrics.BuildInfo{Version: build.Version, Revision: build.Commit}, services, monitor.View, log)
	prom.WatchLog(logs.Dropped)
	if others != nil {
		prom.WatchPeers(func() (known, asked, answered int) {
			c := others.Counts()
			return c.Known, c.Asked, c.Answered
		})
	}
	monitor.Subscribe(handler.Publish, prom.Observe)

	answers, err1 := listenHealth(ctx, &cfg.Health, handler, log)
	scrapes, err2 := listenMetrics(ctx, &cfg.Health, prom.Handler(), log)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	log.Info("serving", "version", build.Version, "health_addr", answers.Addr().String(), "metrics_addr", scrapes.Addr().String())

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(running)
	changes := &changelog.Logger{Updates: monitor.Updates(), Log: log}
	for _, start := range []func(context.Context) error{
		answers.Start, scrapes.Start, token.Start, changes.Start, monitor.Start, releaseStart,
	} {
		group.Go(func() error { return start(running) })
	}
	if path := cfg.Health.OverrideFile; path != "" {
		file := &override.File{Path: path, Set: monitor.Override, Log: log}
		group.Go(func() error { return file.Start(running) })
	}
	if keeper != nil {
		group.Go(func() error { return keeper.Start(running, monitor.Updates()) })
	}
	if others != nil {
		group.Go(func() error { return others.Start(running) })
	}
	if reporter := newPodReporter(cfg, monitor, prom, fleet.pods, log); reporter != nil {
		group.Go(func() error { return reporter.Start(running) })
	}
	group.Go(func() error {
		select {
		case <-running.Done(): // something failed
			return nil
		case <-ctx.Done():
		}
		monitor.Drain()
		log.Info("shutting down")
		pause(running, drainTime)
		stop()
		return nil
	})
	err = group.Wait()
	if err != nil && ctx.Err() != nil { // asked to stop: an unclean end is not a failure
		log.Warn("shutdown", "error", err)
		return nil
	}
	return err
}

// listenHealth listens on HEALTH_ADDR.
func listenHealth(ctx context.Context, h *config.Health, handler http.Handler, log *slog.Logger) (*server.Server, error) {
	files := server.TLSFiles{Cert: h.TLSCertFile, Key: h.TLSKeyFile, ClientCA: h.TLSClientCAFile}
	if files.ClientCA != "" {
		handler = server.RequireCertificate(handler, "/health/live", "/health/ready")
	}
	return server.Listen(ctx, h.Addr, files, server.AllowOrigins(h.AllowedOrigins, handler), log)
}

// listenMetrics listens on METRICS_ADDR.
func listenMetrics(ctx context.Context, h *config.Health, handler http.Handler, log *slog.Logger) (*server.Server, error) {
	files := server.TLSFiles{Cert: h.MetricsTLSCertFile, Key: h.MetricsTLSKeyFile, ClientCA: h.MetricsTLSClientCAFile}
	if files.ClientCA != "" {
		handler = server.RequireCertificate(handler)
	}
	return server.Listen(ctx, h.MetricsAddr, files, handler, log)
}

// fleet counts the Pods of the workload. The services need it before there are peers to
// count.
type fleet struct{ peers atomic.Pointer[peers.Peers] }

// pods returns how many there are, as far as it is known: at least this one.
func (f *fleet) pods() int {
	if p := f.peers.Load(); p != nil {
		return 1 + p.Counts().Known
	}
	return 1
}

// newPeers returns what asks the other Pods' sidecars, or nil where HEALTH_PEERS is not set.
func newPeers(cfg *config.Config, instance string, monitor *health.Monitor, log *slog.Logger) *peers.Peers {
	if len(cfg.Peers.Names) == 0 {
		return nil
	}
	_, port, _ := net.SplitHostPort(cfg.Health.Addr) // was checked
	self, _ := netip.ParseAddr(cfg.Peers.PodIP)      // invalid: not known
	options := peers.Options{
		Names: cfg.Peers.Names, Port: port, Self: self.Unmap(), Instance: instance,
		Sample: cfg.Peers.Sample, Timeout: cfg.Peers.Timeout,
		Resolver: net.DefaultResolver,
		Monitor:  monitor, Updates: monitor.Updates(), Log: log,
	}
	if cfg.Peers.CAFile != "" {
		options.TLS = dependency.TLSConfig(cfg.Peers.CAFile, "", nil)
		if cfg.Health.TLSClientCAFile != "" { // that of the peers is the same
			dependency.ClientCertificate(options.TLS, cfg.Health.TLSCertFile, cfg.Health.TLSKeyFile)
		}
	}
	return peers.New(options)
}

// instance returns the Pod's name, or the host name if that is not set; in a Pod both are
// the same.
func instance(cfg *config.Config) string {
	if name := cfg.Kube.PodName; name != "" {
		return name
	}
	name, _ := os.Hostname() // "" says nothing
	return name
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// newPodReporter returns the reporter for the Pod, or nil if reporting is off or this is
// not a Pod. The latter is logged and does not keep the sidecar from serving.
func newPodReporter(cfg *config.Config, monitor *health.Monitor, prom *metrics.Metrics, pods func() int, log *slog.Logger) *kube.Reporter {
	if !cfg.Kube.PodReporting {
		return nil
	}
	reports := prom.WatchPodReports()
	// The libraries' own logger is global; what they print is redacted as well.
	klog.SetSlogLogger(log)

	cluster, err := rest.InClusterConfig()
	if err != nil {
		log.Error("pod reporting is off: no way to Kubernetes' API; "+
			"run this in a Pod that mounts a service account's token, or set HEALTH_POD_REPORTING=off", "error", err)
		reports.Impossible()
		return nil
	}
	client, err := kube.NewClient(cluster)
	if err != nil {
		log.Error("pod reporting is off", "error", err)
		reports.Impossible()
		return nil
	}
	return kube.NewReporter(kube.Options{
		Client:   client,
		Pod:      types.NamespacedName{Namespace: cfg.Kube.PodNamespace, Name: cfg.Kube.PodName},
		UID:      types.UID(cfg.Kube.PodUID),
		Updates:  monitor.Updates(),
		Pods:     pods,
		Observer: reports,
		Log:      log,
	})
}

// tokenPeriod is how often the token's file is read.
const tokenPeriod = 10 * time.Second

// token keeps HEALTH_TOKEN in memory, so that no request reads a file.
type token struct {
	secret config.Secret
	log    *slog.Logger
	now    atomic.Pointer[string]
}

// value is the present token, or "" for none.
func (t *token) value() string {
	if v := t.now.Load(); v != nil {
		return *v
	}
	return ""
}

// Start reads the token, repeatedly if it comes from a file, until ctx is done. While the
// file cannot be read there is no token.
func (t *token) Start(ctx context.Context) error {
	tick := time.NewTicker(tokenPeriod)
	defer tick.Stop()
	for failed := false; ; {
		value, err := t.secret.Read()
		if err != nil && !failed {
			t.log.Warn("no token: details are withheld from everybody", "error", err)
		}
		failed = err != nil
		t.now.Store(&value)
		if t.secret.File() == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// restoreState restores what an earlier process of this Pod knew about the services. It
// returns the keeper of the state file, or nil if HEALTH_STATE_FILE is not set.
func restoreState(cfg *config.Config, services []*health.Service, log *slog.Logger) *state.Keeper {
	if cfg.Health.StateFile == "" {
		return nil
	}
	keeper := &state.Keeper{
		Path: cfg.Health.StateFile, Pod: cfg.Kube.PodUID,
		Definitions: make(map[string]string), Log: log,
	}
	for _, s := range cfg.Enabled() {
		var facts []string
		if settings, ok := s.Settings.(dependency.Identifier); ok {
			facts = settings.Identity()
		}
		keeper.Definitions[s.Name] = cfg.Definition(s.Name, facts...)
	}
	restored := keeper.Restore()
	for _, svc := range services {
		svc.Restored = restored[svc.Name]
	}
	return keeper
}
