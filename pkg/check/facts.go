package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Fact is one value of a service's details as people read it, in the words of the status
// page.
type Fact struct{ Label, Value string }

// told are the details that are no facts: they say why a service is not healthy, and have
// their own place.
var told = []string{"reason", "message", "next_step", "docs", "consecutive_failures", "fault_scope", "peers_asked", "peers_failing", "peers_sound"}

// facts returns a service's details, in their order. Now is the time of the answer.
func (ks kinds) facts(service string, details Object, now time.Time) []Fact {
	var (
		all  []Fact
		kind = ks.kindOf(service, details)
	)
	drawn := make(map[string]bool)
	for _, m := range details {
		if share, ok := shareOf(kind, m.Key); ok && !drawn[m.Key] {
			if f, ok := shared(share, details); ok {
				all = append(all, f)
				for _, name := range share.Names() {
					drawn[name] = true
				}
			}
		}
		if drawn[m.Key] {
			continue
		}
		f := Fact{kind.Measure(m.Key).Title, shortText(m.Value)}
		switch {
		case slices.Contains(told, m.Key):
			continue
		case m.Key == "latency_ms":
			f = Fact{"Latency", milliseconds(m.Value)}
		case m.Key == "checked_at":
			f = Fact{"Last checked", moment(details.Time(m.Key), now)}
		case m.Key == "since":
			f.Value = moment(details.Time(m.Key), now)
		case m.Key == "last_success":
			f = Fact{"Last healthy", moment(details.Time(m.Key), now)}
		default:
			f.Value = measured(kind.Measure(m.Key), m.Value, now)
		}
		all = append(all, f)
	}
	if failures, ok := details.Number("consecutive_failures"); ok {
		all = append(all, Fact{"Not healthy", fmt.Sprintf("%.0f checks in a row", failures)})
	}
	if scope := scopeText(details); scope != "" {
		all = append(all, Fact{"Fault", scope})
	}
	return all
}

// shareOf returns the share that a measure is drawn in.
func shareOf(kind *health.Kind, measure string) (health.Share, bool) {
	for _, share := range kind.Drawn() {
		if slices.Contains(share.Names(), measure) {
			return share, true
		}
	}
	return health.Share{}, false
}

// shared says in words what the status page draws as parts of a whole: 2 of 100 in use, or 3
// active, 1 idle. It reports false where a part is missing, or where there is nothing to say of
// a whole that is nothing.
func shared(share health.Share, details Object) (Fact, bool) {
	var parts []string
	sum := 0.0
	for _, p := range share.Parts {
		text, n, ok := amount(details, p.Measure)
		if !ok {
			return Fact{}, false
		}
		if sum += n; n > 0 || share.Whole != "" {
			parts = append(parts, text+" "+p.Word)
		}
	}
	text := strings.Join(parts, ", ")
	if share.Whole != "" {
		whole, n, ok := amount(details, share.Whole)
		if !ok {
			return Fact{}, false
		}
		part, _, _ := amount(details, share.Parts[0].Measure)
		sum, text = n, part+" of "+whole+" "+share.Parts[0].Word
	}
	if sum <= 0 {
		text = share.Empty
	}
	return Fact{share.Title, text}, text != ""
}

// amount is a number in details, or an amount of bytes with its unit, as text and as a number
// that can be told from 0.
func amount(details Object, key string) (text string, n float64, ok bool) {
	raw, _ := details.Get(key)
	text = strings.Trim(string(raw), `"`)
	n, err := strconv.ParseFloat(strings.TrimRight(text, "BKMGTPE"), 64)
	return text, n, err == nil
}

// kindOf returns the kind of the service of that name or, as an answer does not tell it of
// services of any other name, the kind that declares most of the details.
func (ks kinds) kindOf(service string, details Object) *health.Kind {
	var best *health.Kind
	most := 0
	for _, k := range ks {
		if k.Service == service {
			return k
		}
		n := 0
		for _, m := range k.Measures {
			if _, there := details.Get(m.Name); there {
				n++
			}
		}
		if n > most {
			best, most = k, n
		}
	}
	return best
}

// measured is the value of a measure.
func measured(m health.Measure, raw json.RawMessage, now time.Time) string {
	switch text := shortText(raw); {
	case m.Zero != "" && (text == "0" || text == "0B"):
		return m.Zero
	case m.Unit == health.UnitFlag && text == "true":
		return "yes"
	case m.Unit == health.UnitFlag && text == "false":
		return "no"
	case m.Unit == health.UnitTime:
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return day(t, now)
		}
	}
	return shortText(raw)
}

// day is the day of a moment, and how far away that is.
func day(t, now time.Time) string {
	if t.Before(now) {
		return t.UTC().Format(time.DateOnly) + ", " + Span(now.Sub(t)) + " ago"
	}
	return t.UTC().Format(time.DateOnly) + ", in " + Span(t.Sub(now))
}

// moment is a time of the day, and how long ago that is.
func moment(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case now.Sub(t) > 12*time.Hour:
		return t.UTC().Format(time.RFC3339) + ", " + Span(now.Sub(t)) + " ago"
	default:
		return t.UTC().Format(time.TimeOnly) + " UTC, " + Span(now.Sub(t)) + " ago"
	}
}

// Span is a duration in its two greatest units: 5m03s.
func Span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// Milliseconds is a time in milliseconds as people read it: 0.31 ms, 12.3 ms, 2.00 s.
func Milliseconds(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 1000:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return fmt.Sprintf("%.2f s", v/1000)
	}
}

func milliseconds(raw json.RawMessage) string {
	var v float64
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &v) != nil {
		return shortText(raw)
	}
	return Milliseconds(v)
}

// shortText is what a JSON value looks like to a person, cut to what can be read.
func shortText(raw json.RawMessage) string { return Shorten(whole(raw)) }

func whole(raw json.RawMessage) string {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return Printable(string(raw))
	}
	switch v := v.(type) {
	case string:
		return Printable(v)
	case []any:
		texts := make([]string, len(v))
		for i, item := range v {
			texts[i] = Printable(fmt.Sprint(item))
		}
		if len(texts) == 0 {
			return "(none)"
		}
		return strings.Join(texts, ", ")
	case nil:
		return "-"
	default:
		return Printable(string(raw))
	}
}

// kinds are those of the services that there may be. Of two measures of one name, the
// first one counts.
type kinds []*health.Kind

func (c *Client) kinds() kinds { return c.options.Kinds }

// measure returns what describes the values of that name, or the zero value.
func (ks kinds) measure(name string) health.Measure {
	for _, k := range ks {
		for _, m := range k.Measures {
			if m.Name == name {
				return m
			}
		}
	}
	return health.Measure{}
}

// inReady returns the services whose status /health/ready shows.
func (ks kinds) inReady() []string {
	var services []string
	for _, k := range ks {
		if k.InReady {
			services = append(services, k.Service)
		}
	}
	return services
}

// withheld reports whether no details name anything (HEALTH_DETAILS=safe).
func (ks kinds) withheld(h *Health) bool {
	for _, name := range h.Details.Keys() {
		for _, key := range h.Detail(name).Keys() {
			if key == "message" || ks.measure(key).Unit.Identifying() {
				return false
			}
		}
	}
	return true
}
