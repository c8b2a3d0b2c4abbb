package statuspage

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// fact is one value of the latest check, as text.
type fact struct {
	Label, Value string
	At           *webpage.Moment // if set, Value is its age
	Name         bool            // Value is a name, not a number
	Wide         bool            // it takes a whole line
}

// bar shows values of the latest check as parts of a whole, with the same as text.
type bar struct {
	Label, Text string
	Parts       []part
}

// part is a segment of the bar, in percent of its length.
type part struct {
	Shade    int // 1 is the darkest
	X, Width float64
}

// measures returns the values of the latest check: shares of a whole as bars, and the rest as
// facts.
func measures(r health.Result, now time.Time, d Details) (bars []bar, facts []fact) {
	kind, o := r.Service.Kind, r.Last.Observation
	drawn := map[string]bool{}
	for _, share := range kind.Drawn() {
		if b, ok := newBar(share, o, now); ok {
			bars = append(bars, b)
			for _, name := range share.Names() {
				drawn[name] = true
			}
		}
	}
	for _, v := range o.Values {
		if drawn[v.Name] || d != Full && v.Identifying() || v.Name == "endpoint" && r.Service.Endpoint != "" {
			continue
		}
		m := kind.Measure(v.Name)
		f := fact{Label: m.Title, Value: measureText(v, now), Name: v.Identifying()}
		if m.Zero != "" && v.Number == 0 {
			f.Value = m.Zero
		}
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return bars, facts
}

// newBar returns the bar of a share. It reports false if a measure is missing, or if the
// whole is 0 and the share has no text for that.
func newBar(share health.Share, o health.Observation, now time.Time) (bar, bool) {
	found := make([]health.Value, len(share.Parts))
	var whole health.Value
	for i, p := range share.Parts {
		m, ok := find(o, p.Measure)
		if !ok {
			return bar{}, false
		}
		found[i] = m
		whole.Number += m.Number
	}
	if share.Whole != "" {
		var ok bool
		if whole, ok = find(o, share.Whole); !ok {
			return bar{}, false
		}
	}
	if whole.Number <= 0 {
		return bar{Label: share.Title, Text: share.Empty}, share.Empty != ""
	}
	return bar{share.Title, shareText(share, found, whole, now), stretches(found, whole.Number)}, true
}

func find(o health.Observation, name string) (health.Value, bool) {
	i := slices.IndexFunc(o.Values, func(m health.Value) bool { return m.Name == name && !m.Identifying() })
	if i < 0 {
		return health.Value{}, false
	}
	return o.Values[i], true
}

func shareText(share health.Share, found []health.Value, whole health.Value, now time.Time) string {
	if share.Whole != "" {
		return measureText(found[0], now) + " of " + measureText(whole, now) + " " + share.Parts[0].Word
	}
	var words []string
	for i, m := range found {
		if m.Number > 0 {
			words = append(words, measureText(m, now)+" "+share.Parts[i].Word)
		}
	}
	return strings.Join(words, ", ")
}

func stretches(found []health.Value, whole float64) []part {
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
