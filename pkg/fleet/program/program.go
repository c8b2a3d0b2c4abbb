package program

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/reims/reims-health/pkg/buildinfo"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/controller"
	"github.com/reims/reims-health/pkg/readfile"
	"github.com/reims/reims-health/pkg/server"
)

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2 // bad usage or configuration
)

// Build is the version information of the binary.
type Build = buildinfo.Info

// programName is the name of the command.
const programName = "reims-health-fleet"

// Run runs the program until ctx ends, and returns its exit code: 0, 1 if it failed, 2 for bad usage or configuration.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer, build Build) int {
	build = build.OrRecorded()
	flags := flag.NewFlagSet(programName, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return printed(usage(stdout))
	case err != nil || flags.NArg() > 0:
		if err == nil {
			err = fmt.Errorf("there is no command %q", flags.Arg(0))
		}
		fmt.Fprintf(stderr, "reims-health-fleet: %v: see reims-health-fleet --help\n", err)
		return exitUsage
	case *version:
		return printed(build.Print(stdout, programName))
	}
	s, err := load(ctx, environ)
	if err == nil {
		err = s.serve(ctx, stderr, build)
	}
	if err == nil {
		return exitGood
	}
	fmt.Fprintf(stderr, "reims-health-fleet: %v\n", err)
	if wrong := (*config.Error)(nil); errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

func printed(err error) int {
	if err != nil {
		return exitFailed
	}
	return exitGood
}

func usage(w io.Writer) error {
	text := "Asks the reims-health sidecars of all workloads that have a DependencyHealth object, and\n" +
		"shows which services fail, for how many Pods, and where.\n\n" +
		"Usage:\n  reims-health-fleet [--version | --help]\n\nEnvironment:\n"
	new(variables).fields(func(name, fallback, help string) {
		text += fmt.Sprintf("  %-26s %s", name, help)
		if fallback != "" {
			text += " (default " + fallback + ")"
		}
		text += "\n"
	})
	_, err := io.WriteString(w, text)
	return err
}

// serve connects all parts, and runs them until ctx ends.
func (s *settings) serve(ctx context.Context, stderr io.Writer, build Build) error {
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: s.logLevel}))
	// The libraries log through global loggers.
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	klog.SetSlogLogger(log)

	kubernetes, err := s.kubernetes()
	if err != nil {
		return err
	}
	collector := fleet.NewCollector(fleet.Options{
		Timeout: s.timeout, RequestsPerSecond: s.requestsPerSecond, Certificate: s.certificate(), Log: log,
	})
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		fleet.NewMetrics(collector),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	m, err := controller.New(kubernetes, controller.Options{
		Collector: collector, Namespaces: s.namespaces, HealthAddr: s.healthAddr, Registry: registry, Log: log,
		LeaderElection: s.leaderElection, Namespace: s.podNamespace, Identity: s.podName,
	})
	if err != nil {
		return err
	}
	page, err := server.Listen(ctx, s.addr, server.TLSFiles{}, fleet.NewHandler(collector, fleet.PageOptions{Instance: s.podName, Version: build.Version}), log)
	if err != nil {
		return err
	}
	metrics, err := server.Listen(ctx, s.metricsAddr, server.TLSFiles{}, promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}), log)
	if err != nil {
		return err
	}
	log.Info("starting", "version", build.Version, "page", page.Addr().String(), "metrics", metrics.Addr().String(), "health", s.healthAddr)
	if err := errors.Join(m.Add(controller.EveryReplica(page.Start)), m.Add(controller.EveryReplica(metrics.Start))); err != nil {
		return err
	}
	if err := m.Start(ctx); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// certificate returns a function that reads the client certificate; nil if none is set.
func (s *settings) certificate() func() (tls.Certificate, error) {
	if s.certFile == "" {
		return nil
	}
	return func() (tls.Certificate, error) { return readfile.KeyPair(s.certFile, s.keyFile) }
}

// kubernetes returns the configuration of the API server's client.
func (s *settings) kubernetes() (*rest.Config, error) {
	if s.kubeconfig == "" {
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("use the Pod's service account (outside a Pod set FLEET_KUBECONFIG): %w", err)
		}
		return c, nil
	}
	c, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read FLEET_KUBECONFIG: %w", err)
	}
	return c, nil
}
