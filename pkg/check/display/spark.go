package display

import (
	"math"
	"slices"
	"strings"
)

// spark draws the latest of the values, one a column. The middle of the height is
// their median, and twice that is the top, so that a steady latency is a level line and
// noise does not look like trouble. A value of 0 is a gap.
func spark(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	top := 2 * median(values)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(values)))
	for _, v := range values {
		b.WriteRune(level(v, top))
	}
	return b.String()
}

func level(v, top float64) rune {
	levels := []rune("▁▂▃▄▅▆▇█")
	if v <= 0 {
		return '·'
	}
	n := int(math.Round(v / top * float64(len(levels)-1)))
	return levels[min(n, len(levels)-1)]
}

func median(values []float64) float64 {
	there := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v <= 0 })))
	if len(there) == 0 {
		return 0
	}
	return there[len(there)/2]
}

// bar draws a part of a whole, as long as width at most; what is not nothing can be
// seen.
func bar(part, whole, width int) string {
	if part == 0 || whole == 0 {
		return ""
	}
	return strings.Repeat("█", max(1, int(math.Round(float64(part)/float64(whole)*float64(width)))))
}
