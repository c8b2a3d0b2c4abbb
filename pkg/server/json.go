package server

import (
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

func (s *responseSet) jsonHealth(reader int, d Details) (int, object) {
	services := make(object, 0, len(s.parts))
	details := make(object, 0, len(s.parts))
	for _, p := range s.parts {
		services = append(services, member{p.result.Service.Name, p.result.Status.String()})
		if d != Off {
			details = append(details, member{p.result.Service.Name, &p.details[reader]})
		}
	}
	ok := s.view.Status() != health.Unhealthy
	return httpCode(ok), object{
		{"success", ok},
		{"status", s.view.Status().String()},
		{"services", services},
		{"details", details},
		{"timestamp", s.stamp},
		{"check_duration_ms", millis(s.view.CheckDuration())},
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

// scopeDetails returns the scope of a fault; nil if no peers are asked. The counts are
// those of the finding on which the scope is based. A scope without a finding, such as that of
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

// humanBytes returns the format of Redis' used_memory_human.
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

func (s *responseSet) jsonReady(_ int, d Details) (int, object) {
	ready := s.view.Readiness()
	status := "not_ready"
	if ready.Ready {
		status = "ready"
	}
	o := object{{"status", status}}
	for _, p := range s.parts {
		if p.result.Service.InReady() {
			o = append(o, member{p.result.Service.Name, p.result.Status.String()})
		}
	}
	o = append(o, member{"timestamp", s.stamp})
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

func (s *responseSet) jsonLive(int, Details) (int, object) {
	return http.StatusOK, object{{"status", "alive"}, {"timestamp", s.stamp}}
}

func (s *responseSet) jsonNotAlive(int, Details) (int, object) {
	return http.StatusServiceUnavailable, object{{"status", "not_alive"}, {"timestamp", s.stamp}}
}
