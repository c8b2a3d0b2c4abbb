package check

import (
	"encoding/json"
	"slices"

	"github.com/reims/reims-health/pkg/health"
)

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
