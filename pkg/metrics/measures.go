package metrics

import (
	"github.com/reims/reims-health/pkg/health"
)

// measureGauges are the gauges that a kind's measures become. A measure that the latest
// check did not report is absent, and so are all of a service whose result is stale:
// that has no observation.
func measureGauges(k *health.Kind) []gauge {
	var all []gauge
	for _, first := range k.Measures {
		if first.Gauge.Name == "" || contains(all, first.Gauge.Name) {
			continue
		}
		var parts []health.Measure
		for _, m := range k.Measures {
			if m.Gauge.Name == first.Gauge.Name {
				parts = append(parts, m)
			}
		}
		all = append(all, measureGauge(k.Service, parts))
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

// measureGauge is the gauge of measures that differ in the value of its label.
func measureGauge(service string, parts []health.Measure) gauge {
	described := parts[0].Gauge
	f := family{name: described.Name, help: described.Help, absent: "while unreported or stale"}
	if described.Absent != "" {
		f.absent += "; " + described.Absent
	}
	if described.Label != "" {
		values := make([]string, len(parts))
		for i, m := range parts {
			values[i] = m.Gauge.Value
		}
		f.labels = []label{{described.Label, values}}
	}
	return gauge{f, func(v *health.View, emit emitter) {
		r, ok := v.Service(service)
		if !ok {
			return
		}
		for _, m := range parts {
			number, ok := r.Last.Observation.Find(m.Name)
			switch {
			case !ok:
			case described.Label == "":
				emit(number)
			default:
				emit(number, m.Gauge.Value)
			}
		}
	}}
}

// healthGauge is the predecessor's name of reims_health_up.
func healthGauge(services []string) gauge {
	return gauge{family{
		name:   "reims_service_health",
		help:   "Old name of reims_health_up: 1 exactly when /health/NAME answers 200, else 0.",
		labels: []label{serviceLabel(services)},
	}, perService(readUp)}
}

// latencyGauge is the name that the predecessor gave to the latency of the kind's
// service. A service that came later has none: probe_last_duration_seconds covers it.
func latencyGauge(k *health.Kind) gauge {
	f := family{name: k.Latency.Name, help: k.Latency.Help, absent: k.Latency.Absent}
	return gauge{f, func(v *health.View, emit emitter) {
		if r, ok := v.Service(k.Service); ok && r.Last.Answered() {
			emit(duration(r.Last).Seconds() * 1000)
		}
	}}
}
