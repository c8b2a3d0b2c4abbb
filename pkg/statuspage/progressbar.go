package statuspage

import (
	"math"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// bar shows parts of a whole. Its text says the same: the drawing is for the eye.
type bar struct {
	Label, Text string
	Parts       []part
}

// part is a stretch of the bar, in hundredths of its length.
type part struct {
	Shade    int // 1 is the strongest
	X, Width float64
}

// gauge is a bar of one or more measures.
type gauge struct {
	label string
	of    string // the measure that is the whole; "" is the sum of the parts
	empty string // said where the whole is nothing
	also  string // a measure that the text makes superfluous
	parts []gaugePart
}

type gaugePart struct{ measure, word string }

// gauges is the table. One is drawn where all its measures are there, of whatever
// service.
var gauges = []gauge{
	{"The sidecar’s own pool", "pool_size", "no connection open", "pool_free", []gaugePart{{"pool_active", "in use"}}},
	{"The API’s connections", "", "none", "", []gaugePart{
		{"app_connections_active", "active"},
		{"app_connections_idle", "idle"},
		{"app_connections_idle_in_transaction", "idle in transaction"},
		{"app_connections_other", "other"},
	}},
	{"The server’s connections", "connections_max", "none", "", []gaugePart{{"connections_used", "in use"}}},
	{"Memory", "memory_max", "", "", []gaugePart{{"memory_usage", "in use"}}},
}

func (g gauge) names() []string {
	names := []string{g.of, g.also}
	for _, p := range g.parts {
		names = append(names, p.measure)
	}
	return names
}

// draw reports false where a measure is missing, or there is no limit to fill.
func (g gauge) draw(o health.Observation) (bar, bool) {
	found := make([]health.Measure, len(g.parts))
	var whole health.Measure
	for i, p := range g.parts {
		m, ok := find(o, p.measure)
		if !ok {
			return bar{}, false
		}
		found[i] = m
		whole.Number += m.Number
	}
	if g.of != "" {
		var ok bool
		if whole, ok = find(o, g.of); !ok {
			return bar{}, false
		}
	}
	if whole.Number <= 0 {
		return bar{Label: g.label, Text: g.empty}, g.empty != ""
	}
	return bar{g.label, g.text(found, whole), g.stretches(found, whole.Number)}, true
}

func find(o health.Observation, name string) (health.Measure, bool) {
	i := slices.IndexFunc(o.Measures, func(m health.Measure) bool { return m.Name == name && !m.Identifying() })
	if i < 0 {
		return health.Measure{}, false
	}
	return o.Measures[i], true
}

func (g gauge) text(found []health.Measure, whole health.Measure) string {
	if g.of != "" {
		return measureText(found[0]) + " of " + measureText(whole) + " " + g.parts[0].word
	}
	var words []string
	for i, m := range found {
		if m.Number > 0 {
			words = append(words, measureText(m)+" "+g.parts[i].word)
		}
	}
	return strings.Join(words, ", ")
}

func (g gauge) stretches(found []health.Measure, whole float64) []part {
	var parts []part
	x := 0.0
	for i, m := range found {
		width := math.Round(1000*min(m.Number/whole, 1)) / 10
		if width > 0 {
			parts = append(parts, part{i + 1, x, width})
		}
		x += width
	}
	return parts
}
