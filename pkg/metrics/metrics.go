package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/reims/reims-health/pkg/health"
)

// maxScrapes is the largest number of concurrent scrapes; others get a 503. Two
// Prometheus servers and a person make three.
const maxScrapes = 4

// BuildInfo is the content of the metric about the sidecar's build.
type BuildInfo struct {
	Version  string // of the release, such as v1.2.3
	Revision string // of the source: a commit
}

// Metrics has its own registry; it does not use the default registry.
type Metrics struct {
	gatherer prometheus.Gatherer
	registry *prometheus.Registry
	events   *events
	log      *slog.Logger
}

// New returns the metrics of the services. A scrape computes the
// gauges from the view that view returns, which must not be nil; [Metrics.Observe] updates the
// counters. log receives errors of scrapes.
func New(build BuildInfo, services []*health.Service, view func() *health.View, log *slog.Logger) *Metrics {
	reg := prometheus.NewRegistry()
	m := &Metrics{registry: reg, events: newEvents(), log: log}
	reg.MustRegister(newCollector(services, view), buildInfo(build))
	m.events.register(reg)
	m.gatherer = prometheus.Gatherers{reg, newProcess()}
	return m
}

// Observe counts the changes between the previous view and v. It must
// be called with every view, in order and by one caller at a time, as
// [health.Monitor.Subscribe] does. Subscribe before the monitor starts; otherwise
// earlier changes are not counted. It does no I/O.
func (m *Metrics) Observe(v *health.View) { m.events.observe(v) }

// Handler serves GET and HEAD of /metrics in Prometheus' text format. Other paths get a
// 404, other methods a 405. If a part cannot be collected, the rest is
// served and the error is logged: one bad series must not disable every alert.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{m.log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		// A compressor needs almost a megabyte of memory to save 12 kB.
		DisableCompression: true,
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// scrapeLog adapts the log for promhttp.
type scrapeLog struct{ *slog.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) { l.Error("scrape incomplete", "error", fmt.Sprint(v...)) }

func buildFamily() family {
	return family{
		name:   "reims_health_build_info",
		help:   "The build of the sidecar, in the labels. Always 1.",
		labels: []label{{name: "version"}, {name: "revision"}, {name: "goversion"}},
	}
}

func buildInfo(b BuildInfo) prometheus.Collector {
	f := buildFamily()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.name, Help: f.help}, f.labelNames())
	info.WithLabelValues(b.Version, b.Revision, runtime.Version()).Set(1)
	return info
}
