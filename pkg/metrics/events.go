package metrics

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reims/reims-health/pkg/health"
)

// The results of a probe. A discarded one is ignored, since this process
// was starved of CPU; it says nothing about the service.
const (
	success   = "success"
	failure   = "failure"
	discarded = "discarded"

	starved = "starved" // the only reason of a discarded one
	other   = "other"   // the reasons that have no series of their own
)

// firstPairs are the pairs of result and reason that exist for a service from the start. The
// failures are those of most outages, and those that alerts count: a counter that begins
// at 0 lets increase() see the first one.
func firstPairs() []pair {
	pairs := []pair{{success, ""}, {discarded, starved}}
	for _, r := range []health.Reason{
		health.ReasonRefused, health.ReasonTimeout, health.ReasonDNS, health.ReasonReset, health.ReasonAuth, health.ReasonTLS,
		health.ReasonForbidden, health.ReasonTooManyConnections,
	} {
		pairs = append(pairs, pair{failure, string(r)})
	}
	return pairs
}

// morePairs is the number of further pairs that get their own series: the first that occur.
// All others are counted in up to two series named other.
const morePairs = 4

// buckets are decades, for equal precision from a database next door (0.3 ms) to
// the longest timeout (5 s) with four series per service.
var buckets = []float64{0.001, 0.01, 0.1, 1}

// The native histogram beside the buckets, for servers that request it. Each of its buckets
// is at most a tenth wider than the one before, so a quantile is off by 5 % at most. Above
// maxNative buckets it is reset, at most once per resetNative, or becomes coarser.
const (
	nativeFactor = 1.1
	maxNative    = 100
	resetNative  = time.Hour
)

func probesFamily(services []string) family {
	return family{
		name:   "reims_health_probes_total",
		kind:   "counter",
		help:   "Checks, by what became of them: success (an answer, even a slow or incomplete one), failure (none), discarded (the sidecar itself was starved of CPU). The reason is empty for an answer with no fault; a service's rarer reasons are added up as other.",
		labels: []label{serviceLabel(services), {"result", []string{success, failure, discarded}}, {name: "reason"}},
		absent: "until a check has had that result and reason; never for `success` with no reason, for `discarded`, and for `failure` with the reasons " + firstReasons(),
		series: len(services) * (len(firstPairs()) + morePairs + 2),
	}
}

// firstReasons returns the reasons of the failures that exist from the start.
func firstReasons() string {
	var list []string
	for _, p := range firstPairs() {
		if p.result == failure {
			list = append(list, "`"+p.reason+"`")
		}
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " and " + list[last]
}

func transitionsFamily(services []string) family {
	return family{
		name:   "reims_health_transitions_total",
		kind:   "counter",
		help:   "Changes of the verdict, by the status it changed to. The first verdict counts, a result that went stale does not.",
		labels: []label{serviceLabel(services), {"to", verdicts()}},
	}
}

func durationFamily(services []string) family {
	return family{
		name:   "reims_health_probe_duration_seconds",
		kind:   "histogram",
		help:   "How long the service took to answer (success) or the check took to fail (failure), in seconds. A failed check counts as slower than every bucket.",
		labels: []label{serviceLabel(services), {"result", []string{success, failure}}},
		series: len(services) * (len(buckets) + 3 + 3), // +Inf, sum and count, of both results
	}
}

// verdicts are the statuses to which a service can change.
func verdicts() []string { return statusNames()[1:] }

// events turns successive views into counters.
type events struct {
	probes      *prometheus.CounterVec
	transitions *prometheus.CounterVec
	durations   map[string]*prometheus.HistogramVec // by result

	last  []health.Result   // of each service
	named map[string][]pair // of each service: the pairs with a series of their own
}

type pair struct{ result, reason string }

func newEvents() *events {
	return &events{
		probes:      probesFamily(nil).counter(),
		transitions: transitionsFamily(nil).counter(),
		durations: map[string]*prometheus.HistogramVec{
			success: durations(success, prometheus.HistogramOpts{
				Buckets: buckets, NativeHistogramBucketFactor: nativeFactor,
				NativeHistogramMaxBucketNumber: maxNative, NativeHistogramMinResetDuration: resetNative,
			}),
			failure: durations(failure, prometheus.HistogramOpts{Buckets: []float64{math.Inf(1)}}),
		},
		named: map[string][]pair{},
	}
}

// durations returns the histogram for one result. There is one per result, so that only
// answers have buckets.
func durations(result string, o prometheus.HistogramOpts) *prometheus.HistogramVec {
	f := durationFamily(nil)
	o.Name, o.Help, o.ConstLabels = f.name, f.help, prometheus.Labels{"result": result}
	return prometheus.NewHistogramVec(o, []string{serviceName})
}

func (e *events) register(reg prometheus.Registerer) {
	reg.MustRegister(e.probes, e.transitions, e.durations[success], e.durations[failure])
}

func (e *events) observe(v *health.View) {
	if e.last == nil {
		e.begin(v)
	}
	for i, r := range v.Results() {
		was := e.last[i]
		if r.Checks == was.Checks {
			r.Status = was.Status // without a new check, the status changed only because the result expired
		}
		e.count(was, r)
		e.last[i] = r
	}
}

// begin creates the series that exist from the start, at zero, so that the first
// increase is visible.
func (e *events) begin(v *health.View) {
	e.last = slices.Clone(v.Results())
	for _, r := range v.Results() {
		name := r.Service.Name
		e.named[name] = firstPairs()
		for _, p := range e.named[name] {
			e.probes.WithLabelValues(name, p.result, p.reason)
		}
		for _, to := range verdicts() {
			e.transitions.WithLabelValues(name, to)
		}
		for _, d := range e.durations {
			d.WithLabelValues(name)
		}
	}
}

func (e *events) count(was, is health.Result) {
	name := is.Service.Name
	if is.Discarded > was.Discarded {
		e.probes.WithLabelValues(name, discarded, starved).Inc()
	}
	if is.Checks > was.Checks {
		e.probe(name, is.Last)
	}
	if is.Status != was.Status {
		e.transitions.WithLabelValues(name, is.Status.String()).Inc()
	}
}

func (e *events) probe(service string, o health.Outcome) {
	p := pair{result: failure}
	if o.Answered() {
		p.result = success
	}
	if o.Fault != nil {
		p.reason = string(o.Fault.Reason)
	}
	e.probes.WithLabelValues(service, p.result, e.fold(service, p)).Inc()
	e.durations[p.result].WithLabelValues(service).Observe(duration(o).Seconds())
}

// fold returns the reason under which a pair is counted: its own while there is room, else other.
func (e *events) fold(service string, p pair) string {
	named := e.named[service]
	if slices.Contains(named, p) {
		return p.reason
	}
	if len(named) == len(firstPairs())+morePairs {
		return other
	}
	e.named[service] = append(named, p)
	return p.reason
}
