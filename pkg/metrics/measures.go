package metrics

import (
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// measureGauges returns the gauges of these kinds' measures, each once. A measure
// that the latest check did not report is absent, and so are all measures of a service whose result
// is stale.
func measureGauges(kinds []*health.Kind, services []string) []gauge {
	var all []gauge
	for _, k := range kinds {
		for _, m := range k.Measures {
			if m.Gauge.Name != "" && !contains(all, m.Gauge.Name) {
				all = append(all, measureGauge(m.Gauge, kinds, services))
			}
		}
	}
	return all
}

func contains(gauges []gauge, name string) bool {
	for _, g := range gauges {
		if g.name == name {
			return true
		}
	}
	return false
}

// ofService reports whether the gauge has the label service. The predecessor's names
// do not have it, since the predecessor had one service per kind.
func ofService(g health.Gauge) bool { return strings.HasPrefix(g.Name, "reims_health_") }

// measureGauge returns the gauge of all measures with its name: of several kinds, or of one
// kind that differ in the value of its label.
func measureGauge(described health.Gauge, kinds []*health.Kind, services []string) gauge {
	f := family{name: described.Name, help: described.Help, absent: "while unreported or stale"}
	if described.Absent != "" {
		f.absent += "; " + described.Absent
	}
	if ofService(described) {
		f.labels = append(f.labels, serviceLabel(servicesWith(described.Name, kinds, services)))
	}
	if described.Label != "" {
		f.labels = append(f.labels, label{described.Label, labelValues(described.Name, kinds)})
	}
	return gauge{f, func(v *health.View, emit emitter) {
		for _, r := range v.Results() {
			k := r.Service.Kind
			if k == nil || !ofService(described) && k.Service != r.Service.Name {
				continue
			}
			for _, m := range k.Measures {
				if number, ok := r.Last.Observation.Find(m.Name); ok && m.Gauge.Name == described.Name {
					emit(number, labelsOf(m.Gauge, r.Service.Name)...)
				}
			}
		}
	}}
}

func labelsOf(g health.Gauge, service string) []string {
	var labels []string
	if ofService(g) {
		labels = append(labels, service)
	}
	if g.Label != "" {
		labels = append(labels, g.Value)
	}
	return labels
}

// labelValues returns the label values of the gauge's measures, in their order.
func labelValues(gauge string, kinds []*health.Kind) []string {
	var values []string
	for _, k := range kinds {
		for _, m := range k.Measures {
			if m.Gauge.Name == gauge && !slices.Contains(values, m.Gauge.Value) {
				values = append(values, m.Gauge.Value)
			}
		}
	}
	return values
}

// servicesWith returns the services that were always of a kind with that gauge.
func servicesWith(gauge string, kinds []*health.Kind, services []string) []string {
	var with []string
	for _, k := range kinds {
		has := slices.ContainsFunc(k.Measures, func(m health.Measure) bool { return m.Gauge.Name == gauge })
		if has && slices.Contains(services, k.Service) {
			with = append(with, k.Service)
		}
	}
	return with
}

// healthGauge is the predecessor's name of reims_health_up.
func healthGauge(services []string) gauge {
	return gauge{family{
		name:   "reims_service_health",
		help:   "Old name of reims_health_up: 1 exactly when /health/NAME answers 200, else 0.",
		labels: []label{serviceLabel(services)},
	}, perService(readUp)}
}

// latencyGauge returns the predecessor's gauge of the latency of the kind's
// service. Newer kinds have none: probe_last_duration_seconds covers them.
func latencyGauge(k *health.Kind) gauge {
	f := family{name: k.Latency.Name, help: k.Latency.Help, absent: k.Latency.Absent}
	return gauge{f, func(v *health.View, emit emitter) {
		if r, ok := v.Service(k.Service); ok && r.Last.Answered() {
			emit(duration(r.Last).Seconds() * 1000)
		}
	}}
}
