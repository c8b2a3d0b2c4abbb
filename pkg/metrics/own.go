package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// writes are the two kinds of reports on the Pod.
var writes = []string{"condition", "event"}

func droppedFamily() family {
	return family{
		name: "reims_health_log_lines_dropped_total",
		kind: "counter",
		help: "Lines of the sidecar's log that were dropped, since whatever reads it did not keep up or could not be written to.",
	}
}

func reportsFamily() family {
	return family{
		name:   "reims_health_pod_reports_total",
		kind:   "counter",
		help:   "Attempts to report on the Pod, by what was written (the Pod's condition or an Event) and by the result.",
		labels: []label{{"kind", writes}, {"result", []string{success, failure}}},
		absent: "with HEALTH_POD_REPORTING=off",
	}
}

func reportingFailingFamily() family {
	return family{
		name:   "reims_health_pod_reporting_failing",
		help:   "Whether there is something to report on the Pod and the latest attempt failed: 1 until it is written or out of date, else 0. Always 1 where the sidecar has no way to Kubernetes' API.",
		labels: []label{{"kind", writes}},
		absent: "with HEALTH_POD_REPORTING=off",
	}
}

// peerStates are the states by which peers are counted.
var peerStates = []string{"known", "asked", "answered"}

func peersFamily() family {
	return family{
		name:   "reims_health_peers",
		help:   "Sidecars of the workload's other Pods: known (as the latest lookup of HEALTH_PEERS says), asked in the latest round of questions (one per minute while no service fails, up to HEALTH_PEERS_SAMPLE per second while a strict service does, as many per interval while only others do), and answered of those.",
		labels: []label{{"state", peerStates}},
		absent: withoutPeers,
	}
}

// WatchPeers adds the gauge of the peers, which is computed at each scrape. Call it at most once,
// if peers are asked.
func (m *Metrics) WatchPeers(counts func() (known, asked, answered int)) {
	m.registry.MustRegister(peersCollector{peersFamily().desc(), counts})
}

type peersCollector struct {
	desc   *prometheus.Desc
	counts func() (known, asked, answered int)
}

// Describe implements [prometheus.Collector].
func (c peersCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements [prometheus.Collector].
func (c peersCollector) Collect(ch chan<- prometheus.Metric) {
	known, asked, answered := c.counts()
	for i, n := range []int{known, asked, answered} {
		ch <- sample(c.desc, float64(n), []string{peerStates[i]})
	}
}

// WatchLog adds the counter of dropped log lines, which is read at each scrape.
func (m *Metrics) WatchLog(dropped func() uint64) {
	f := droppedFamily()
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: f.name, Help: f.help},
		func() float64 { return float64(dropped()) }))
}

// PodReports counts the attempts to report on the Pod. It is safe for
// concurrent use.
type PodReports struct {
	attempts *prometheus.CounterVec
	failing  *prometheus.GaugeVec
}

// WatchPodReports adds the metrics of reporting. Call it at most once, if reporting is on.
func (m *Metrics) WatchPodReports() *PodReports {
	f := reportingFailingFamily()
	r := &PodReports{
		attempts: reportsFamily().counter(),
		failing:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.name, Help: f.help}, f.labelNames()),
	}
	for _, w := range writes { // at zero, so that the first increase is visible
		r.attempts.WithLabelValues(w, success)
		r.attempts.WithLabelValues(w, failure)
		r.failing.WithLabelValues(w)
	}
	m.registry.MustRegister(r.attempts, r.failing)
	return r
}

// Attempted counts one attempt to write the "condition" or an "event".
func (r *PodReports) Attempted(write string, err error) {
	result := success
	if err != nil {
		result = failure
	}
	r.attempts.WithLabelValues(write, result).Inc()
}

// Failing sets whether there is something to write and the latest attempt failed.
func (r *PodReports) Failing(write string, failing bool) {
	r.failing.WithLabelValues(write).Set(bit(failing))
}

// Impossible marks reporting as always failing, since the API server cannot be configured.
func (r *PodReports) Impossible() {
	for _, w := range writes {
		r.Failing(w, true)
	}
}

// processFamilies are the metrics of the process that are exported, out of the many
// of the standard collectors: enough to see a leak, a restart or starvation.
var processFamilies = []family{
	{name: "process_cpu_seconds_total", kind: "counter", help: "CPU time of the sidecar, user and system, in seconds."},
	{name: "process_resident_memory_bytes", help: "Resident memory of the sidecar, in bytes."},
	{name: "process_open_fds", help: "File descriptors that the sidecar has open."},
	{name: "process_start_time_seconds", help: "When the sidecar was started, in seconds since the Unix epoch."},
	{name: "go_goroutines", help: "Goroutines of the sidecar."},
}

// process gathers processFamilies from the standard collectors.
type process struct{ all *prometheus.Registry }

func newProcess() process {
	all := prometheus.NewRegistry()
	all.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()),
	)
	return process{all}
}

// Gather implements [prometheus.Gatherer].
func (p process) Gather() ([]*dto.MetricFamily, error) {
	all, err := p.all.Gather()
	return slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return !shown(f.GetName()) }), err
}

func shown(name string) bool {
	return slices.ContainsFunc(processFamilies, func(f family) bool { return f.name == name })
}
