package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// timeFormat is RFC 3339 with milliseconds, in UTC.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// millis is a duration in milliseconds, to the microsecond.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

func httpCode(ok bool) int {
	if ok {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func jsonHealth(v *health.View, d Details) (int, object) {
	var services, details object
	for _, r := range v.Results() {
		services = append(services, member{r.Service.Name, r.Status.String()})
		if d != Off {
			details = append(details, member{r.Service.Name, serviceDetails(r, d)})
		}
	}
	ok := v.Status() != health.Unhealthy
	return httpCode(ok), object{
		{"success", ok},
		{"status", v.Status().String()},
		{"services", services},
		{"details", details},
		{"timestamp", stamp(v.Time())},
		{"check_duration_ms", millis(v.CheckDuration())},
	}
}

func jsonService(v *health.View, r health.Result, d Details) (int, object) {
	var details object
	if d != Off {
		details = serviceDetails(r, d)
	}
	return httpCode(r.OK()), object{
		{"success", r.OK()},
		{"status", r.Status.String()},
		{"details", details},
		{"timestamp", stamp(v.Time())},
	}
}

func serviceDetails(r health.Result, d Details) object {
	var o object
	if r.Last.Answered() {
		o = append(o, member{"latency_ms", millis(r.Last.Observation.Latency)})
	}
	for _, m := range r.Last.Observation.Values {
		if d == Full || !m.Identifying() {
			o = append(o, member{m.Name, measureValue(m)})
		}
	}
	if r.Checks > 0 {
		o = append(o, member{"checked_at", stamp(r.Last.Finished)})
	}
	o = append(o, member{"since", stamp(r.Since)})
	if r.Fault() != nil {
		o = append(o, faultDetails(r, d)...)
	}
	return o
}

func faultDetails(r health.Result, d Details) object {
	o := object{{"reason", string(r.Reason())}}
	if d == Full {
		o = append(o, member{"message", r.Message()})
	}
	o = append(o, scopeDetails(r.Scope, r.Finding)...)
	o = append(o, member{"consecutive_failures", r.ConsecutiveFailures})
	if r.LastSuccess.IsZero() {
		o = append(o, member{"last_success", nil})
	} else {
		o = append(o, member{"last_success", stamp(r.LastSuccess)})
	}
	if next := r.NextStep(); next != "" {
		o = append(o, member{"next_step", next})
	}
	if docs := r.Docs(); docs != "" {
		o = append(o, member{"docs", docs})
	}
	return o
}

// scopeDetails says whose a fault is; nothing where no peers are asked. The counts are
// those of the finding that the scope rests on; a scope that rests on none, such as that of
// a stale result, has no counts.
func scopeDetails(scope health.Scope, f health.Finding) object {
	if scope == "" {
		return nil
	}
	o := object{{"fault_scope", string(scope)}}
	if scope != f.Scope {
		return o
	}
	return append(o, member{"peers_asked", f.Asked}, member{"peers_failing", f.Failing}, member{"peers_sound", f.Sound})
}

func measureValue(m health.Value) any {
	switch m.Unit {
	case health.UnitBytes:
		return humanBytes(m.Number)
	case health.UnitFlag:
		return m.Number != 0
	case health.UnitText:
		return m.Text
	case health.UnitList:
		return append([]string{}, m.List...) // never null
	case health.UnitTime:
		return m.Moment().Format(time.RFC3339)
	default:
		if math.IsNaN(m.Number) || math.IsInf(m.Number, 0) {
			return nil // JSON has no such numbers
		}
		return m.Number
	}
}

// humanBytes is the form that Redis gives as used_memory_human.
func humanBytes(n float64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%.0fB", n)
	}
	units := "KMGTPE"
	for n /= 1 << 10; n >= 1<<10 && len(units) > 1; n /= 1 << 10 {
		units = units[1:]
	}
	return fmt.Sprintf("%.2f%c", n, units[0])
}

func jsonReady(v *health.View, d Details) (int, object) {
	ready := v.Readiness()
	status := "not_ready"
	if ready.Ready {
		status = "ready"
	}
	o := object{{"status", status}}
	for _, r := range v.Results() {
		if r.Service.InReady() {
			o = append(o, member{r.Service.Name, r.Status.String()})
		}
	}
	o = append(o, member{"timestamp", stamp(v.Time())})
	if details := causeDetails(ready.Causes, d); len(details) > 0 {
		o = append(o, member{"details", details})
	}
	return httpCode(ready.Ready), o
}

func causeDetails(causes []health.Cause, d Details) object {
	var o object
	for _, c := range causes {
		if d == Off && !c.Ours() {
			continue
		}
		cause := object{{"reason", string(c.Reason)}}
		if d == Full {
			cause = append(cause, member{"message", c.Message})
		}
		if scope := scopeDetails(c.Scope, c.Finding); scope != nil {
			cause = append(cause, member{"held", c.Held})
			cause = append(cause, scope...)
		}
		o = append(o, member{c.Source, cause})
	}
	return o
}

func jsonLive(v *health.View, _ Details) (int, object) {
	return http.StatusOK, object{{"status", "alive"}, {"timestamp", stamp(v.Time())}}
}

func jsonDead(v *health.View, _ Details) (int, object) {
	return http.StatusServiceUnavailable, object{{"status", "not_alive"}, {"timestamp", stamp(v.Time())}}
}

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any // what encoding/json takes, or an object
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode returns the object and a newline. What the renderers put into an object
// (strings, finite numbers, lists of strings) can always be encoded; should that
// ever change, the reader is told instead of being given half a body.
func (o object) encode() []byte {
	body, err := json.Marshal(o)
	if err != nil {
		body = []byte(`{"success":false,"error":"the answer could not be encoded"}`)
	}
	return append(body, '\n')
}
