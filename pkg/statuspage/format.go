package statuspage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// How the page writes times, durations, sizes and counts. The JSON API has the formats of its
// contract, and the check command those of columns on a terminal (5m03s, 12.3 ms); they are
// meant to differ.

// isoFormat is RFC 3339 with milliseconds, in UTC, as in the JSON API.
const isoFormat = "2006-01-02T15:04:05.000Z07:00"

// moment is a time as people and programs read it, in UTC. Full has the date, for a tooltip;
// the script writes the reader's own time there.
type moment struct{ ISO, Text, Full string }

// newMoment leaves out the date where the time alone cannot be taken for another
// day's.
func newMoment(t, now time.Time) moment {
	return moment{t.UTC().Format(isoFormat), clockText(t, now), t.UTC().Format("2 Jan 2006 15:04:05 UTC")}
}

func clockText(t, now time.Time) string {
	format := time.TimeOnly
	if now.Sub(t).Abs() > 12*time.Hour {
		format = "2 Jan 15:04"
	}
	return t.UTC().Format(format)
}

// percentText rounds down to two decimals, so that only the whole is 100 %.
func percentText(share float64) string {
	return strconv.FormatFloat(math.Floor(share*10000)/100, 'f', -1, 64) + " %"
}

// lastedText is how long a state lasted.
func lastedText(d time.Duration) string {
	if d < time.Second {
		return "less than 1 s"
	}
	return spanText(d)
}

// latencyText has three digits that count.
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

// spanText is a length of time in its one or two largest units.
func spanText(d time.Duration) string {
	seconds := int(max(d, 0) / time.Second)
	minutes, hours, days := seconds/60, seconds/3600, seconds/86400
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case hours < 24:
		return twoUnits(hours, "h", minutes%60, "min")
	default:
		return twoUnits(days, "d", hours%24, "h")
	}
}

func twoUnits(a int, unitA string, b int, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// measureText is a measure's value as people read it now.
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
		return numberText(m.Number)
	}
}

// dateText is a day in UTC, and how far away the moment is: in days, or within two of them
// more closely.
func dateText(t, now time.Time) string {
	distance := t.Sub(now)
	text := spanText(distance.Abs())
	if days := int(distance.Abs() / (24 * time.Hour)); days >= 2 {
		text = numberText(float64(days)) + " days"
	}
	if distance < 0 {
		return t.UTC().Format(time.DateOnly) + ", " + text + " ago"
	}
	return t.UTC().Format(time.DateOnly) + ", in " + text
}

// bytesText has three digits that count, in binary units.
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

// numberText groups the digits of a whole number by thousands, as the SI does.
func numberText(n float64) string {
	if n != math.Trunc(n) || math.Abs(n) >= 1<<53 {
		return strconv.FormatFloat(n, 'g', 4, 64)
	}
	digits := strconv.FormatFloat(math.Abs(n), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:]
	}
	if n < 0 {
		return "\u2212" + digits
	}
	return digits
}

// capital makes the first letter of an English text a capital.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// enumerate lists names as English does.
func enumerate(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}
