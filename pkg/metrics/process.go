package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
)

// processFamilies are the figures on the sidecar itself that are shown, of the many
// that the stock collectors offer: enough to see a leak, a restart, a starvation.
var processFamilies = []family{
	{name: "process_cpu_seconds_total", kind: "counter", help: "CPU time of the sidecar, user and system, in seconds."},
	{name: "process_resident_memory_bytes", help: "Resident memory of the sidecar, in bytes."},
	{name: "process_open_fds", help: "File descriptors that the sidecar has open."},
	{name: "process_start_time_seconds", help: "When the sidecar was started, in seconds since the Unix epoch."},
	{name: "go_goroutines", help: "Goroutines of the sidecar."},
}

// process gathers processFamilies from the stock collectors.
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
