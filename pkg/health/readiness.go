package health

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Override is a manual decision on readiness (break-glass).
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
	// Causes says why the Pod is not ready, or that it is ready because of a grace, a
	// shared fault or an override.
	Causes []Cause
}

// String lists the causes for people.
func (r Readiness) String() string {
	causes := make([]string, len(r.Causes))
	for i, c := range r.Causes {
		causes[i] = c.Source + ": " + c.Message
	}
	return strings.Join(causes, "; ")
}

// Held reports whether a fault of that service is held, see [Cause].
func (r Readiness) Held(service string) bool {
	return slices.ContainsFunc(r.Causes, func(c Cause) bool { return c.Held && c.Source == service })
}

// The sources of causes other than services.
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
	// ReasonText is the message of the reason for any service of the kind.
	ReasonText string
	// Grace says that the service is unhealthy and does not make the Pod not ready yet,
	// because its grace has not ended.
	Grace bool
	// Held says that the service is unhealthy and does not make the Pod not ready, because
	// at least half of the peers see the fault too, no other Pod could take over, or the
	// peers are still being asked.
	Held bool
	// Scope says which Pods have the fault, and Finding what the peers reported.
	Scope   Scope
	Finding Finding
}

// Ours reports whether the cause is the override or the shutdown, and not a service.
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

// graceEnds returns the end of the grace of an unhealthy service, after which the Pod is not
// ready. It is the zero time if there is no grace, as before the service was proven.
func (r Result) graceEnds(now time.Time) time.Time {
	svc, since := r.Service, r.FailingSince()
	if !r.Proven || since.IsZero() || svc.Readiness != PolicyStrict || svc.ReadinessGrace == 0 {
		return time.Time{}
	}
	_, _, from := r.scopeAt(now)
	return from.Add(svc.ReadinessGrace)
}
