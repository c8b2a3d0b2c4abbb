package statuspage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// The page's formats of times, durations, sizes and counts. The JSON API has the formats of its
// contract, and the check command those of columns on a terminal (5m03s, 12.3 ms). The difference is
// intended.

// percentText rounds down to two decimals, so that only the whole is 100 %.
func percentText(share float64) string {
	return strconv.FormatFloat(math.Floor(share*10000)/100, 'f', -1, 64) + " %"
}

// lastedText returns how long a state lasted.
func lastedText(d time.Duration) string {
	if d < time.Second {
		return "less than 1 s"
	}
	return webpage.SpanText(d)
}

// latencyText returns a latency with three significant digits.
func latencyText(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 9.995:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 99.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
}

// measureText returns a measure's value for people.
func measureText(m health.Value, now time.Time) string {
	switch m.Unit {
	case health.UnitBytes:
		return bytesText(m.Number)
	case health.UnitFlag:
		if m.Number != 0 {
			return "yes"
		}
		return "no"
	case health.UnitText:
		return m.Text
	case health.UnitList:
		return strings.Join(m.List, ", ")
	case health.UnitTime:
		return dateText(m.Moment(), now)
	default:
		return webpage.NumberText(m.Number)
	}
}

// dateText returns a day in UTC, and its distance in days, or within two days
// in smaller units.
func dateText(t, now time.Time) string {
	distance := t.Sub(now)
	text := webpage.SpanText(distance.Abs())
	if days := int(distance.Abs() / (24 * time.Hour)); days >= 2 {
		text = webpage.NumberText(float64(days)) + " days"
	}
	if distance < 0 {
		return t.UTC().Format(time.DateOnly) + ", " + text + " ago"
	}
	return t.UTC().Format(time.DateOnly) + ", in " + text
}

// bytesText returns a size in binary units with three significant digits.
func bytesText(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for n >= 1000 && len(units) > 1 {
		n, units = n/1024, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%.0f B", n)
	}
	return strconv.FormatFloat(n, 'f', max(0, 2-len(strconv.Itoa(int(n)))+1), 64) + " " + units[0]
}
