package observe

import (
	"fmt"
	"regexp"
	"time"
)

var (
	// durationField is a setting of a rule file or of a configuration.
	durationField = regexp.MustCompile(`(?m)^(\s*(?:for|interval|\w+_interval|group_wait): )(\S+)`)
	// durationRange is the range of a selector in PromQL.
	durationRange = regexp.MustCompile(`(\[)(\d+[smhd])\]`)
)

// Scale divides every duration in rules, or in a configuration of Prometheus or
// Alertmanager, by a factor of at least 1, and changes nothing else. It knows the
// durations that config/prometheus has: the values of for, interval, …_interval and
// group_wait, and ranges in brackets, each of one number and one unit.
func Scale(text []byte, factor int) ([]byte, error) {
	var failed error
	divide := func(pattern *regexp.Regexp, end string) {
		text = pattern.ReplaceAllFunc(text, func(match []byte) []byte {
			parts := pattern.FindSubmatch(match)
			d, err := parseDuration(string(parts[2]))
			if err != nil {
				failed = err
			}
			return fmt.Appendf(nil, "%s%dms%s", parts[1], (d / time.Duration(factor)).Milliseconds(), end)
		})
	}
	divide(durationField, "")
	divide(durationRange, "]")
	return text, failed
}

// parseDuration reads a duration of Prometheus, which has days.
func parseDuration(text string) (time.Duration, error) {
	var n int
	var unit string
	if _, err := fmt.Sscanf(text, "%d%s", &n, &unit); err != nil {
		return 0, fmt.Errorf("read the duration %q: %w", text, err)
	}
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}
	if units[unit] == 0 {
		return 0, fmt.Errorf("read the duration %q: no unit is called %q", text, unit)
	}
	return time.Duration(n) * units[unit], nil
}
