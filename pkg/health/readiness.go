package health

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Override is the break-glass: a decision on readiness by hand.
type Override string

// The overrides. The zero value is none.
const (
	NoOverride       Override = ""
	OverrideReady    Override = "ready"
	OverrideNotReady Override = "not_ready"
)

// Readiness says whether the Pod may receive traffic.
type Readiness struct {
	Ready bool
	// Causes explains an answer that is no, or that is yes thanks to a grace or an
	// override.
	Causes []Cause
}

// String lists the causes in plain words.
func (r Readiness) String() string {
	causes := make([]string, len(r.Causes))
	for i, c := range r.Causes {
		causes[i] = c.Source + ": " + c.Message
	}
	return strings.Join(causes, "; ")
}

// Held reports whether the Pod is ready although that service is unhealthy, because most
// peers see the same or are still being asked.
func (r Readiness) Held(service string) bool {
	return slices.ContainsFunc(r.Causes, func(c Cause) bool { return c.Held && c.Source == service })
}

// The sources of a cause that is no service.
const (
	sourceOverride = "override"
	sourceShutdown = "shutdown"
)

// Cause is one reason behind a readiness.
type Cause struct {
	// Source is the name of a service, or "override" or "shutdown".
	Source  string
	Reason  Reason
	Message string
	// ReasonText is what the reason means for any service of the kind.
	ReasonText string
	// Grace says that the service is unhealthy and ready all the same, for now.
	Grace bool
	// Held says that it is unhealthy and ready all the same, because most peers see the
	// same or are still being asked.
	Held bool
	// Scope says whose the fault is, and Finding what the peers told of it.
	Scope   Scope
	Finding Finding
}

// Ours reports whether the cause is no service: an override, or the shutdown.
func (c Cause) Ours() bool { return c.Source == sourceOverride || c.Source == sourceShutdown }

// Readiness applies every service's policy, then the override, then the shutdown.
func (v *View) Readiness() Readiness {
	ready := Readiness{Ready: true}
	for _, r := range v.results {
		ok, cause := r.readiness(v.asOf, v.mayHold())
		ready.Ready = ready.Ready && ok
		if cause != nil {
			ready.Causes = append(ready.Causes, *cause)
		}
	}
	if v.override != NoOverride {
		ready.Ready = v.override == OverrideReady
		ready.Causes = append(ready.Causes, Cause{
			Source: sourceOverride, Reason: ReasonOverride, Message: fmt.Sprintf("HEALTH_OVERRIDE_FILE says %s", v.override),
		})
	}
	if v.draining {
		ready.Ready = false
		ready.Causes = append(ready.Causes, Cause{
			Source: sourceShutdown, Reason: ReasonShutdown, Message: "the sidecar is shutting down",
		})
	}
	return ready
}

func (r Result) readiness(now time.Time, mayHold bool) (ok bool, cause *Cause) {
	policy, grace := r.Service.Readiness, r.graceEnds(now)
	if policy == PolicyIgnore || policy == PolicyStartup && r.Proven || r.Proven && r.FailingSince().IsZero() {
		return true, nil
	}
	cause = &Cause{
		Source: r.Service.Name, Reason: r.Reason(), ReasonText: r.ReasonText(), Message: r.Message(),
		Scope: r.Scope, Finding: r.Finding,
	}
	switch {
	case mayHold && r.held():
		cause.Held = true
		if r.Scope == ScopeUndecided {
			cause.Message += "; held while the peers are asked"
		} else {
			cause.Message += "; held: " + r.Finding.String()
		}
		return true, cause
	case !grace.IsZero() && !now.After(grace):
		cause.Grace = true
		cause.Message += "; ready under its grace until " + grace.UTC().Format(time.RFC3339)
		return true, cause
	}
	switch {
	case r.Scope == ScopeLocal && r.Finding.Scope == ScopeLocal:
		cause.Message += "; the fault is this Pod's own: " + r.Finding.String()
	case r.Scope == ScopeUnknown:
		cause.Message += "; too few peers answer to tell whether they see it too"
	}
	return false, cause
}

// graceEnds is the moment past which an unhealthy service is no longer ready; the
// zero time where it has no grace, as before it was proven.
func (r Result) graceEnds(now time.Time) time.Time {
	svc, since := r.Service, r.FailingSince()
	if !r.Proven || since.IsZero() || svc.Readiness != PolicyStrict || svc.ReadinessGrace == 0 {
		return time.Time{}
	}
	_, _, from := r.scopeAt(now)
	return from.Add(svc.ReadinessGrace)
}
