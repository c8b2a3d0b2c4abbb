package fleet

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reims/reims-health/pkg/health"
)

// fleetMetrics makes metrics of the newest summaries. It is immutable.
type fleetMetrics struct {
	c                                          *Collector
	pods, services, extents, oldest, questions *prometheus.Desc
}

// NewMetrics returns the metrics of a collector's summaries. The values of all labels are closed
// sets, except for the names of workloads and services. A sidecar bounds the number of services.
func NewMetrics(c *Collector) prometheus.Collector {
	workload := []string{"namespace", "workload"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("reims_fleet_"+name, help, append(workload[:2:2], labels...), nil)
	}
	return &fleetMetrics{
		c:    c,
		pods: desc("pods", "Pods of a workload by state: answering, silent, and ready, which overlaps with both.", "state"),
		services: desc("service_pods", "Pods of a workload by the status of a service; a Pod that does not answer is unknown.",
			"service", "status"),
		extents: desc("fault_extent", "1 for the extent of a service's fault: none, pods, node, zone or shared; 0 for the others.",
			"service", "extent"),
		oldest:    desc("oldest_answer_age_seconds", "Age of the oldest answer that counts; absent if no Pod answers."),
		questions: desc("questions_total", "Requests to the Pods of a workload by result.", "result"),
	}
}

// Describe sends the descriptions of all metrics.
func (m *fleetMetrics) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.pods, m.services, m.extents, m.oldest, m.questions} {
		all <- d
	}
}

// Collect sends the metrics of every workload.
func (m *fleetMetrics) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, s := range m.c.Summaries() {
		w := s.Target.Workload
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{w.Namespace, w.Name}, labels...)...)
		}
		gauge(m.pods, float64(s.Answering), "answering")
		gauge(m.pods, float64(s.Known-s.Answering), "silent")
		gauge(m.pods, float64(s.Ready), "ready")
		if !s.Oldest.IsZero() {
			gauge(m.oldest, now.Sub(s.Oldest).Seconds())
		}
		for _, service := range s.Services {
			for _, status := range health.Statuses() {
				gauge(m.services, float64(service.Pods[status]), service.Name, status.String())
			}
			for _, extent := range append([]Extent{ExtentNone}, Extents()...) {
				value := 0.0
				if extent == service.Extent {
					value = 1
				}
				gauge(m.extents, value, service.Name, extent.label())
			}
		}
		counts := m.c.questions(w)
		for _, result := range append([]Failure{""}, Failures()...) {
			label := string(result)
			if result == "" {
				label = "answered"
			}
			out <- prometheus.MustNewConstMetric(m.questions, prometheus.CounterValue, float64(counts[result]), w.Namespace, w.Name, label)
		}
	}
}

// label returns the extent as the value of a metric's label and of a JSON field.
func (e Extent) label() string {
	if e == ExtentNone {
		return "none"
	}
	return string(e)
}

// questions returns the number of requests to a workload by failure; "" for those that succeeded.
func (c *Collector) questions(name Workload) map[Failure]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[Failure]int{}
	if w := c.workloads[name]; w != nil {
		maps.Copy(counts, w.counts)
	}
	return counts
}
