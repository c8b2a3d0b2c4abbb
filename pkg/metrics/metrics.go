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

// maxScrapes is how many scrapes may run at once; another one is answered 503. Two
// Prometheus servers and a person make three.
const maxScrapes = 4

// BuildInfo is what the sidecar says of its own build.
type BuildInfo struct {
	Version  string // of the release, such as v1.2.3
	Revision string // of the source: a commit
}

// Metrics holds a registry of its own; nothing is shared with the process's default.
type Metrics struct {
	gatherer prometheus.Gatherer
	registry *prometheus.Registry
	events   *events
	log      *slog.Logger
}

// New returns the metrics of the services. A scrape reads the
// gauges off what view returns, which is never nil; [Metrics.Observe] feeds the
// counters. The log is told of a scrape that goes wrong.
func New(build BuildInfo, services []*health.Service, view func() *health.View, log *slog.Logger) *Metrics {
	reg := prometheus.NewRegistry()
	m := &Metrics{registry: reg, events: newEvents(), log: log}
	reg.MustRegister(newCollector(services, view), buildInfo(build))
	m.events.register(reg)
	m.gatherer = prometheus.Gatherers{reg, newProcess()}
	return m
}

// Observe counts what happened between the view before and this one. It must
// be given every view, in order and by one caller at a time, as
// [health.Monitor.Subscribe] does; subscribe before the monitor starts, or what
// came before is not counted. It does no I/O.
func (m *Metrics) Observe(v *health.View) { m.events.observe(v) }

// Handler answers GET and HEAD of /metrics in Prometheus' text format, another path
// with 404 and another method with 405. Where a part cannot be collected, the rest is
// served all the same and the log is told: one bad series must not blind every alert.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{
		ErrorLog:            scrapeLog{m.log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		// A compressor holds close to a megabyte to spare 12 kB.
		DisableCompression: true,
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// scrapeLog is the log as promhttp wants it.
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
