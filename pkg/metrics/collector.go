package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reims/reims-health/pkg/health"
)

// gauge is a family whose samples are computed from a view. A sample that it does not emit
// is absent.
type gauge struct {
	family
	read func(*health.View, emitter)
}

// emitter receives one sample: its value, and one value per label of the family.
type emitter func(value float64, labels ...string)

// collector computes every gauge from the view at the time of the scrape.
type collector struct {
	view   func() *health.View
	gauges []gauge
	descs  []*prometheus.Desc // of the gauges, in their order
}

func newCollector(services []*health.Service, view func() *health.View) *collector {
	kinds, names := known(services)
	c := &collector{view: view, gauges: gauges(kinds, names)}
	for _, g := range c.gauges {
		c.descs = append(c.descs, g.desc())
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	v := c.view()
	for i, g := range c.gauges {
		g.read(v, func(value float64, labels ...string) { ch <- sample(c.descs[i], value, labels) })
	}
}

func sample(d *prometheus.Desc, value float64, labels []string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

// gauges returns every gauge of services of these kinds: their state, their checks'
// measures, and the predecessor's names for some of them.
func gauges(kinds []*health.Kind, services []string) []gauge {
	all := append(stateGauges(services), measureGauges(kinds, services)...)
	all = append(all, healthGauge(services))
	for _, k := range kinds {
		if k.Latency.Name != "" {
			all = append(all, latencyGauge(k))
		}
	}
	return all
}

// perService computes a gauge for each service. The label service comes first.
func perService(read func(health.Result, emitter)) func(*health.View, emitter) {
	return func(v *health.View, emit emitter) {
		for _, r := range v.Results() {
			read(r, func(value float64, labels ...string) {
				emit(value, append([]string{r.Service.Name}, labels...)...)
			})
		}
	}
}

func bit(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// known returns the kinds of the services, each once, and their names.
func known(services []*health.Service) (kinds []*health.Kind, names []string) {
	for _, s := range services {
		names = append(names, s.Name)
		if k := s.Kind; k != nil && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds, names
}
