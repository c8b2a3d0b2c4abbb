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

// draw reports false where a measure is missing, or there is no limit to fill.
func draw(share health.Share, o health.Observation) (bar, bool) {
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
	return bar{share.Title, shareText(share, found, whole), stretches(found, whole.Number)}, true
}

func find(o health.Observation, name string) (health.Value, bool) {
	i := slices.IndexFunc(o.Values, func(m health.Value) bool { return m.Name == name && !m.Identifying() })
	if i < 0 {
		return health.Value{}, false
	}
	return o.Values[i], true
}

func shareText(share health.Share, found []health.Value, whole health.Value) string {
	if share.Whole != "" {
		return measureText(found[0]) + " of " + measureText(whole) + " " + share.Parts[0].Word
	}
	var words []string
	for i, m := range found {
		if m.Number > 0 {
			words = append(words, measureText(m)+" "+share.Parts[i].Word)
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
