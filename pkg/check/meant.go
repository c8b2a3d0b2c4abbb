package check

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// rule tells one kind of difference. What is meant is what users are told in
// docs/moving-from-the-api.md.
type rule struct {
	kind  Kind
	why   string
	holds func(p *pair, f *field) bool
}

// varying are the values of answers that are other ones at each moment, besides those of
// services.
var varying = []string{"latency_ms", "check_duration_ms", "timestamp", "checked_at", "since"}

// classify returns the first rule's verdict on a difference.
func (p *pair) classify(f *field) (Kind, string) {
	for _, r := range slices.Concat(p.kinds.predecessors(), defects(), verdicts(), shapes()) {
		if r.holds(p, f) {
			return r.kind, r.why
		}
	}
	return Unmeant, ""
}

// defects are what was wrong with the predecessor's values.
func defects() []rule {
	return []rule{
		{Meant, "the time is in UTC and says so", func(_ *pair, f *field) bool {
			return f.leaf() == "timestamp" && isTime(f.old, false) && isTime(f.new, true)
		}},
		{Meant, "it hung together with what it checked", func(p *pair, f *field) bool {
			return f.name == FieldAnswer && p.hung && isNumber(f.new)
		}},
		{Meant, "a driver's text can hold secrets: there are reason and message", func(_ *pair, f *field) bool {
			return f.gone() && f.leaf() == "error"
		}},
	}
}

// verdicts are where the same state is called something else now.
func verdicts() []rule {
	down := []string{health.Unhealthy.String(), health.Unknown.String()}
	outcome := []string{FieldCode, "success"}
	return []rule{
		{Meant, "it was 200 even for a service that is down", func(p *pair, f *field) bool {
			return slices.Contains(outcome, f.name) && p.service() != "" && slices.Contains(down, p.status(p.service())) &&
				p.old.code == http.StatusOK && p.new.code == http.StatusServiceUnavailable
		}},
		{Meant, "readiness does not depend on what is down: degraded, and 200", func(p *pair, f *field) bool {
			return (slices.Contains(outcome, f.name) || f.name == "status") && p.path == "/health" &&
				p.old.text("status") == health.Unhealthy.String() && p.new.text("status") == health.Degraded.String() && p.agree()
		}},
		{Meant, "degraded is a verdict of its own", func(p *pair, f *field) bool {
			return f.both() && p.isVerdict(f) && text(f.old) == health.Healthy.String() && text(f.new) == health.Degraded.String()
		}},
		{Meant, "the server answers: degraded", func(p *pair, f *field) bool {
			reason := health.Reason(p.reason(p.about(f)))
			return f.both() && p.isVerdict(f) && text(f.old) == health.Unhealthy.String() && text(f.new) == health.Degraded.String() &&
				p.kinds.spares(reason)
		}},
	}
}

// agree reports whether the two say the same of each service.
func (p *pair) agree() bool {
	return !slices.ContainsFunc(p.new.under("services"), func(name string) bool {
		return p.old.text("services."+name) != p.new.text("services."+name)
	})
}

// shapes are fields that came, went or vary.
func shapes() []rule {
	return []rule{
		{Meant, "nothing is told of a service but what the latest check saw", func(p *pair, f *field) bool {
			return f.gone() && strings.HasPrefix(f.name, "details.") && p.reason(p.about(f)) != ""
		}},
		{Meant, "withheld by HEALTH_DETAILS: try --token-file", func(p *pair, f *field) bool {
			return f.gone() && strings.HasPrefix(f.name, "details.") && p.withheld &&
				(p.kinds.measure(f.leaf()).Unit.Identifying() || len(p.new.beneath("details")) == 0)
		}},
		{Meant, "new", func(_ *pair, f *field) bool {
			return f.old == nil && strings.HasPrefix(f.name, "details.")
		}},
		{Measured, "", func(p *pair, f *field) bool {
			return f.both() && (slices.Contains(varying, f.leaf()) || p.kinds.measure(f.leaf()).Varies)
		}},
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

// predecessors are the values that the predecessor had otherwise.
func (ks kinds) predecessors() []rule {
	var rules []rule
	for _, k := range ks {
		for _, m := range k.Measures {
			if m.Predecessor.Why != "" {
				rules = append(rules, rule{Meant, m.Predecessor.Why, func(_ *pair, f *field) bool {
					return f.both() && f.leaf() == m.Name && isValue(f.old, m.Predecessor.Value)
				}})
			}
		}
	}
	return rules
}

// isValue reports whether raw is that text or number, or anything where value is empty.
func isValue(raw json.RawMessage, value string) bool {
	return value == "" || string(raw) == value || text(raw) == value
}

// spares reports whether a service may be degraded with that reason.
func (ks kinds) spares(r health.Reason) bool {
	if !slices.Contains(health.Reasons(ks...), r) {
		return false
	}
	for _, k := range append(slices.Clone(ks), nil) {
		if text, known := k.Explain(r); known {
			return text.Severity != health.SeverityDown
		}
	}
	return false
}
