package metrics

import "github.com/reims/reims-health/pkg/health"

// latencies are the names that the predecessor gave to the services' latencies. A
// service that came later has none: probe_last_duration_seconds covers it.
var latencies = []struct{ service, name string }{
	{"database", "db_latency_ms"},
	{"redis", "redis_latency_ms"},
	{"minio", "minio_latency_ms"},
	{"ollama", "ollama_latency_ms"},
}

// legacyGauges are the predecessor's names, but for those of measures.
func legacyGauges() []gauge {
	all := make([]gauge, 0, 1+len(latencies))
	all = append(all, gauge{family{
		name:   "reims_service_health",
		help:   "Old name of reims_health_up: 1 exactly when /health/NAME answers 200, else 0.",
		labels: []label{serviceLabel()},
	}, perService(readUp)})
	for _, l := range latencies {
		all = append(all, latency(l.service, l.name))
	}
	return all
}

func latency(service, name string) gauge {
	return gauge{family{
		name:   name,
		help:   "How long " + service + " took to answer the latest check, in milliseconds: reims_health_probe_last_duration_seconds times 1000.",
		absent: "while unanswered or stale",
	}, func(v *health.View, emit emitter) {
		if r, ok := v.Service(service); ok && r.Last.Answered() {
			emit(duration(r.Last).Seconds() * 1000)
		}
	}}
}
