package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reims/reims-health/pkg/health"
)

// family is one metric, as the exposition and docs/metrics.md describe it.
type family struct {
	name   string
	kind   string // "gauge" if it is empty
	help   string
	labels []label
	absent string // when it can have no series, for the reference
	series int    // the largest number of series, if it is not the product of the labels
}

// label is a label and its possible values. No values mean a single
// value that is known only at run time.
type label struct {
	name   string
	values []string
}

// serviceLabel returns the label service.
func serviceLabel(services []string) label { return label{serviceName, services} }

const serviceName = "service"

func (f family) labelNames() []string {
	names := make([]string, len(f.labels))
	for i, l := range f.labels {
		names[i] = l.name
	}
	return names
}

func (f family) desc() *prometheus.Desc {
	return prometheus.NewDesc(f.name, f.help, f.labelNames(), nil)
}

func (f family) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.name, Help: f.help}, f.labelNames())
}

// maxSeries returns the largest number of series of the family with all services.
func (f family) maxSeries() int {
	if f.series > 0 {
		return f.series
	}
	n := 1
	for _, l := range f.labels {
		n *= max(1, len(l.values))
	}
	return n
}

// stateGauges returns the gauges of the state of every service and of the Pod.
func stateGauges(services []string) []gauge {
	service := serviceLabel(services)
	return []gauge{
		{family{
			name:   "reims_health_up",
			help:   "Whether the service is healthy or degraded: 1 exactly when /health/NAME answers 200, else 0.",
			labels: []label{service},
		}, perService(readUp)},
		{family{
			name:   "reims_health_status",
			help:   "The verdict on the service: 1 for the status that it has, 0 for the others.",
			labels: []label{service, {"status", statusNames()}},
		}, perService(readStatus)},
		{family{
			name:   "reims_health_probe_last_duration_seconds",
			help:   "How long the service took to answer the latest check or, where it gave no answer, how long the check took to fail, in seconds.",
			labels: []label{service},
			absent: "before the first check is over; while stale",
		}, perService(readLastDuration)},
		{family{
			name:   "reims_health_last_probe_timestamp_seconds",
			help:   "When the latest check that counted was over, in seconds since the Unix epoch.",
			labels: []label{service},
			absent: "before the first check is over",
		}, perService(readLastProbe)},
		{family{
			name:   "reims_health_last_success_timestamp_seconds",
			help:   "When the latest check that found the service healthy was over, in seconds since the Unix epoch.",
			labels: []label{service},
			absent: "until a check has found the service healthy",
		}, perService(readLastSuccess)},
		{family{
			name:   "reims_health_fault_scope",
			help:   "Whose the present fault of the service is, as the other Pods' sidecars tell: 1 for the scope that it has, 0 for the others. All are 0 while the service is not unhealthy.",
			labels: []label{service, {"scope", scopeNames()}},
			absent: withoutPeers,
		}, perService(readScope)},
		{family{
			name:   "reims_health_held",
			help:   "Whether the Pod is ready although the service is unhealthy, because the fault is shared, the Pod is alone, or the peers are still being asked: 1, else 0.",
			labels: []label{service},
			absent: withoutPeers,
		}, readHeld},
		{family{
			name: "reims_health_ready",
			help: "Whether the Pod is ready for traffic: 1 exactly when /health/ready answers 200, else 0.",
		}, readReady},
		{family{
			name:   "reims_health_override",
			help:   "The break-glass file that decides readiness: 1 for the mode that it sets, else 0. Both are 0 without an override.",
			labels: []label{{"mode", overrideModes}},
		}, readOverride},
	}
}

// withoutPeers says when the gauges of the scope are absent.
const withoutPeers = "without HEALTH_PEERS"

var overrideModes = []string{string(health.OverrideReady), string(health.OverrideNotReady)}

func readUp(r health.Result, emit emitter) { emit(bit(r.OK())) }

func readStatus(r health.Result, emit emitter) {
	for _, s := range health.Statuses() {
		emit(bit(r.Status == s), s.String())
	}
}

// readLastDuration omits a stale result: it has no observation, and so
// no latency.
func readLastDuration(r health.Result, emit emitter) {
	if r.Checks > 0 && r.Reason() != health.ReasonStale {
		emit(duration(r.Last).Seconds())
	}
}

// duration returns the value of both probe_duration_seconds and the latency gauges.
func duration(o health.Outcome) time.Duration {
	if o.Answered() {
		return o.Observation.Latency
	}
	return o.Duration()
}

func readLastProbe(r health.Result, emit emitter) {
	if r.Checks > 0 {
		emit(unixSeconds(r.Last.Finished))
	}
}

func readLastSuccess(r health.Result, emit emitter) {
	if !r.LastSuccess.IsZero() {
		emit(unixSeconds(r.LastSuccess))
	}
}

func readScope(r health.Result, emit emitter) {
	if r.Service.SharedFault == "" {
		return
	}
	for _, s := range health.Scopes() {
		emit(bit(r.Scope == s), string(s))
	}
}

func readHeld(v *health.View, emit emitter) {
	ready := v.Readiness()
	for _, r := range v.Results() {
		if r.Service.SharedFault != "" {
			emit(bit(ready.Held(r.Service.Name)), r.Service.Name)
		}
	}
}

func readReady(v *health.View, emit emitter) { emit(bit(v.Readiness().Ready)) }

func readOverride(v *health.View, emit emitter) {
	for _, mode := range overrideModes {
		emit(bit(string(v.Override()) == mode), mode)
	}
}

func scopeNames() []string {
	all := health.Scopes()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return names
}

func statusNames() []string {
	all := health.Statuses()
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.String()
	}
	return names
}
