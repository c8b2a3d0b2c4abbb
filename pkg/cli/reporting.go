package cli

import (
	"log/slog"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/pkg/metrics"
)

// newPodReporter returns what reports on the Pod, or nil where that is off, or where
// this is no Pod: that is logged, and no reason not to serve.
func newPodReporter(cfg *config.Config, monitor *health.Monitor, prom *metrics.Metrics, log *slog.Logger) *kube.Reporter {
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
		Observer: reports,
		Log:      log,
	})
}
