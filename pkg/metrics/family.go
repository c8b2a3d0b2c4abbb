package metrics

import "github.com/prometheus/client_golang/prometheus"

// family is one metric, as the exposition and docs/metrics.md describe it.
type family struct {
	name   string
	kind   string // "gauge" where it is empty
	help   string
	labels []label
	absent string // when it has no series though it could, for the reference
	series int    // the most there can be, where it is not the product of the labels
}

// label is a label and the values that it can take. No values stand for a single
// one that is only known at run time.
type label struct {
	name   string
	values []string
}

// services are the four that the series are budgeted for.
var services = []string{"database", "redis", "minio", "ollama"}

func serviceLabel() label { return label{"service", services} }

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

// maxSeries is how many series the family can have with the four services on.
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
