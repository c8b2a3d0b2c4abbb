package metrics

import (
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

//go:embed reference.md.tmpl
var referenceTemplate string

// WriteReference writes docs/metrics.md: every metric of a sidecar with one service of
// each kind, from the tables of the exposition.
func WriteReference(w io.Writer, kinds []*health.Kind) error {
	var services []string
	for _, k := range kinds {
		if k.Service != "" {
			services = append(services, k.Service)
		}
	}
	state, measured, legacy := gaugeFamilies(kinds, services)
	state = append(state, buildFamily())
	events := []family{probesFamily(services), durationFamily(services), transitionsFamily(services)}
	own := append([]family{peersFamily(), droppedFamily(), reportsFamily(), reportingFailingFamily()}, processFamilies...)
	_, err := strings.NewReplacer(
		"{{services}}", "`"+strings.Join(services[:len(services)-1], "`, `")+"` or `"+services[len(services)-1]+"`",
		"{{state}}", table(state),
		"{{events}}", table(events),
		"{{measures}}", table(measured),
		"{{legacy}}", table(legacy),
		"{{process}}", table(own),
		"{{buckets}}", bucketList(),
		"{{first}}", firstReasons(),
		"{{more}}", strconv.Itoa(morePairs),
		"{{native}}", strconv.Itoa(maxNative),
		"{{total}}", strconv.Itoa(total(state, events, measured, legacy, own)),
		"{{fifth}}", strconv.Itoa(perServiceTotal(len(services), state, events, legacy)),
	).WriteString(w, referenceTemplate)
	return err
}

// gaugeFamilies sorts the gauges into the sections of the reference: those of every
// service, those of measures, and the old names.
func gaugeFamilies(kinds []*health.Kind, services []string) (state, measured, legacy []family) {
	for _, g := range gauges(kinds, services) {
		switch {
		case !strings.HasPrefix(g.name, "reims_health_"):
			legacy = append(legacy, g.family)
		case contains(measureGauges(kinds, services), g.name):
			measured = append(measured, g.family)
		default:
			state = append(state, g.family)
		}
	}
	return state, measured, legacy
}

func table(families []family) string {
	var b strings.Builder
	b.WriteString("| name | type | labels | meaning | absent | series |\n|---|---|---|---|---|---|")
	for _, f := range families {
		fmt.Fprintf(&b, "\n| `%s` | %s | %s | %s | %s | %d |",
			f.name, f.kindName(), f.labelList(), f.help, f.absent, f.maxSeries())
	}
	return b.String()
}

func (f family) kindName() string {
	if f.kind == "" {
		return "gauge"
	}
	return f.kind
}

// labelList returns the labels and, except for the service, their values.
func (f family) labelList() string {
	list := make([]string, len(f.labels))
	for i, l := range f.labels {
		list[i] = "`" + l.name + "`"
		if len(l.values) > 0 && l.name != serviceName {
			list[i] += " (" + strings.Join(l.values, ", ") + ")"
		}
	}
	return strings.Join(list, ", ")
}

func bucketList() string {
	list := make([]string, len(buckets))
	for i, b := range buckets {
		list[i] = strconv.FormatFloat(b, 'g', -1, 64)
	}
	return strings.Join(list, ", ") + " s"
}

func total(groups ...[]family) int {
	n := 0
	for _, families := range groups {
		for _, f := range families {
			n += f.maxSeries()
		}
	}
	return n
}

// perServiceTotal returns the number of series per service in the families with that label.
func perServiceTotal(services int, groups ...[]family) int {
	n := 0
	for _, families := range groups {
		for _, f := range families {
			if len(f.labels) > 0 && f.labels[0].name == serviceName {
				n += f.maxSeries() / services
			}
		}
	}
	return n
}
