package metrics

import (
	"math"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reims/reims-health/pkg/health"
)

// The results of a probe. Discarded is one that was thrown away, since this process
// itself was starved of CPU; it says nothing of the service.
const (
	success   = "success"
	failure   = "failure"
	discarded = "discarded"

	starved = "starved" // the only reason of a discarded one
	other   = "other"   // the reasons that have no series of their own
)

// namedPairs is how many pairs of result and reason a service may have under their
// own names. The first two are there from the start; beyond them come up to two
// called other.
const namedPairs = 6

// buckets are decades, for equal precision from a database next door (0.3 ms) to
// the longest timeout (5 s) at the price of four series a service.
var buckets = []float64{0.001, 0.01, 0.1, 1}

func probesFamily(services []string) family {
	return family{
		name:   "reims_health_probes_total",
		kind:   "counter",
		help:   "Checks, by what became of them: success (an answer, be it slow or incomplete), failure (none), discarded (the sidecar itself was starved of CPU). The reason is empty for an answer with no fault; a service's rarer reasons are added up as other.",
		labels: []label{serviceLabel(services), {"result", []string{success, failure, discarded}}, {name: "reason"}},
		absent: "until the pair of result and reason was first seen; `success` with no reason and `discarded` are there from the start",
		series: len(services) * (namedPairs + 2),
	}
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

// verdicts are the statuses that a service can change to.
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
			success: durations(success, buckets),
			failure: durations(failure, []float64{math.Inf(1)}),
		},
		named: map[string][]pair{},
	}
}

// durations is the half of the histogram with one result. Two halves, so that only
// answers pay for buckets.
func durations(result string, buckets []float64) *prometheus.HistogramVec {
	f := durationFamily(nil)
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: f.name, Help: f.help, Buckets: buckets,
		ConstLabels: prometheus.Labels{"result": result},
	}, []string{serviceName})
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
			r.Status = was.Status // without a check it can only have gone stale
		}
		e.count(was, r)
		e.last[i] = r
	}
}

// begin makes the series that exist from the start, at zero, so that the first
// increase is seen as one.
func (e *events) begin(v *health.View) {
	e.last = slices.Clone(v.Results())
	for _, r := range v.Results() {
		name := r.Service.Name
		e.named[name] = []pair{{success, ""}, {discarded, starved}}
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

// fold returns the reason to count a pair under: its own while there is room.
func (e *events) fold(service string, p pair) string {
	named := e.named[service]
	if slices.Contains(named, p) {
		return p.reason
	}
	if len(named) == namedPairs {
		return other
	}
	e.named[service] = append(named, p)
	return p.reason
}
