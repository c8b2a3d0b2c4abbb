package webpage

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// isoFormat is RFC 3339 with milliseconds, in UTC, as in the JSON API.
const isoFormat = "2006-01-02T15:04:05.000Z07:00"

// Moment is a time in UTC, formatted for people and programs. Full has the date, for a tooltip;
// the script adds the reader's local time there.
type Moment struct{ ISO, Text, Full string }

// NewMoment formats t. The text has the date only if the time alone could mean another
// day.
func NewMoment(t, now time.Time) Moment {
	return Moment{t.UTC().Format(isoFormat), ClockText(t, now), t.UTC().Format("2 Jan 2006 15:04:05 UTC")}
}

// ClockText returns the time of day, with the date if the time alone could mean another day.
func ClockText(t, now time.Time) string {
	format := time.TimeOnly
	if now.Sub(t).Abs() > 12*time.Hour {
		format = "2 Jan 15:04"
	}
	return t.UTC().Format(format)
}

// SpanText returns a duration in its one or two largest units.
func SpanText(d time.Duration) string {
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

// NumberText returns a whole number with its digits grouped by thousands, as in the SI.
func NumberText(n float64) string {
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

// Capital returns text with its first letter in upper case.
func Capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Enumerate joins names as in English: a, b and c.
func Enumerate(names []string) string {
	if n := len(names) - 1; n > 0 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, "")
}
