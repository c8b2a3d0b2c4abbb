package main

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/health"
)

// kind is what the dashboards are made of, besides what all services have.
type kind struct {
	Service string           `json:"service"`
	Title   string           `json:"title"`
	Faults  []health.Reason  `json:"faults"`
	Gauges  []gauge          `json:"gauges"`
	Shares  []share          `json:"shares"`
	Rows    []dependency.Row `json:"rows"`
}

// gauge is a metric, whatever number of measures it is made of.
type gauge struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Help  string `json:"help"`
	Unit  string `json:"unit"`
	Label string `json:"label,omitempty"`
}

// share is a [health.Share] of measures that are metrics.
type share struct {
	Title string   `json:"title"`
	Parts []series `json:"parts"`
	Whole *series  `json:"whole,omitempty"`
	// Gauges are all that it is about.
	Gauges []string `json:"gauges"`
}

// series is the metric of one measure.
type series struct {
	Word  string `json:"word,omitempty"`
	Gauge string `json:"gauge"`
	Label string `json:"label,omitempty"`
	Value string `json:"value,omitempty"`
}

// writeKinds renders hack/dashboards/kinds.json, from which the dashboards of the services
// are made.
func writeKinds(w io.Writer, kinds dependency.Kinds) error {
	all := []kind{}
	for i := range kinds {
		k := &kinds[i] // without a service of its own, it is on the dashboard of any service alone
		described := kind{Service: k.Service, Title: k.Title, Faults: faults(&k.Kind), Gauges: gauges(&k.Kind), Shares: shares(&k.Kind), Rows: k.Rows}
		if described.Rows == nil {
			described.Rows = []dependency.Row{}
		}
		all = append(all, described)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}

// faults are reasons that an answer can have.
func faults(k *health.Kind) []health.Reason {
	all := []health.Reason{health.ReasonSlow}
	for _, r := range k.Reasons {
		if r.Severity == health.SeverityImpaired || r.Severity == health.SeverityUnproven {
			all = append(all, r.Reason)
		}
	}
	return all
}

func gauges(k *health.Kind) []gauge {
	all := []gauge{}
	seen := map[string]bool{}
	for _, m := range k.Measures {
		g := m.Gauge
		if g.Name == "" || seen[g.Name] {
			continue
		}
		seen[g.Name] = true
		title := k.Measure(m.Name).Title
		if g.Label != "" {
			title = titleOf(g.Name)
		}
		help := g.Help
		if g.Absent != "" {
			help += " Empty " + strings.ReplaceAll(g.Absent, "`", "") + "."
		}
		all = append(all, gauge{Name: g.Name, Title: title, Help: help, Unit: unit(m.Unit), Label: g.Label})
	}
	return all
}

// titleOf is what people call a metric of several measures.
func titleOf(metric string) string {
	words := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(metric, "reims_health_"), "_bytes"), "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

func unit(u health.Unit) string {
	switch u {
	case health.UnitBytes:
		return "bytes"
	case health.UnitFlag:
		return "flag"
	case health.UnitTime:
		return "time"
	case health.UnitNumber, health.UnitText, health.UnitList:
	}
	return "number"
}

// shares are those of which every part, and the whole, is a metric.
func shares(k *health.Kind) []share {
	all := []share{}
	for _, s := range k.Shares {
		drawn := share{Title: s.Title}
		complete := true
		for _, p := range s.Parts {
			part, ok := seriesOf(k, p.Measure, p.Word)
			complete = complete && ok
			drawn.Parts = append(drawn.Parts, part)
		}
		if s.Whole != "" {
			whole, ok := seriesOf(k, s.Whole, "")
			complete = complete && ok
			drawn.Whole = &whole
		}
		if !complete {
			continue
		}
		seen := map[string]bool{}
		for _, name := range s.Names() {
			if g := k.Measure(name).Gauge; g.Name != "" && !seen[g.Name] {
				seen[g.Name] = true
				drawn.Gauges = append(drawn.Gauges, g.Name)
			}
		}
		all = append(all, drawn)
	}
	return all
}

func seriesOf(k *health.Kind, measure, word string) (series, bool) {
	g := k.Measure(measure).Gauge
	return series{Word: word, Gauge: g.Name, Label: g.Label, Value: g.Value}, g.Name != ""
}
