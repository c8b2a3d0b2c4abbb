package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/pkg/health"
)

// ConditionType is the type of the one condition that a [Reporter] writes.
const ConditionType corev1.PodConditionType = "reims.io/DependenciesHealthy"

// The reasons that do not depend on a service.
const (
	reasonHealthy  = "DependenciesHealthy"
	reasonNoResult = "NoResultYet"
	reasonStopped  = "SidecarStopped"
)

// condition is the content of the Pod's condition. Since is when its status last changed.
type condition struct {
	status  corev1.ConditionStatus
	reason  string
	message text
	since   time.Time
}

// equals reports whether both are the same, apart from since and from the counts of peers,
// which alone do not cause a write.
func (c condition) equals(other condition) bool {
	return c.status == other.status && c.reason == other.reason && c.message.stable == other.message.stable
}

// text is a message: in full, and without the counts of peers, which change with every
// round of requests.
type text struct{ full, stable string }

func plain(s string) text { return text{s, s} }

func join(all []text) text {
	full, stable := make([]string, len(all)), make([]string, len(all))
	for i, t := range all {
		full[i], stable[i] = t.full, t.stable
	}
	return text{strings.Join(full, "; "), strings.Join(stable, "; ")}
}

// conditionOf returns the condition for a view: false if any service is degraded or
// unhealthy, else unknown until each has a result, else true.
func conditionOf(v *health.View) condition {
	worst, pending := worstOf(v.Results()), false
	for _, r := range v.Results() {
		pending = pending || r.Status == health.Unknown
	}
	switch {
	case worst.Status > health.Healthy:
		return condition{status: corev1.ConditionFalse, reason: reasonOf(worst), message: clauses(v)}
	case pending:
		return condition{status: corev1.ConditionUnknown, reason: reasonNoResult, message: clauses(v)}
	default:
		return condition{
			status: corev1.ConditionTrue, reason: reasonHealthy,
			message: plain("every dependency is healthy: " + names(v.Results())),
		}
	}
}

// stopped returns the condition that a sidecar writes when it stops.
func stopped() condition {
	return condition{
		status: corev1.ConditionUnknown, reason: reasonStopped,
		message: plain("the sidecar has stopped: nothing watches the dependencies"),
	}
}

// worstOf returns the result with the worst status; of several, the first that
// matters for readiness, or else the first.
func worstOf(results []health.Result) health.Result {
	var worst health.Result
	for _, r := range results {
		matters := worst.Service == nil || worst.Service.Readiness == health.PolicyIgnore && r.Service.Readiness != health.PolicyIgnore
		if r.Status > worst.Status || r.Status == worst.Status && matters {
			worst = r
		}
	}
	return worst
}

// reasonOf returns the service and its reason, such as DatabaseRefused. Both are closed
// sets, so the result is too.
func reasonOf(r health.Result) string { return camel(r.Service.Name) + camel(string(r.Reason())) }

// camel writes too_many_connections as TooManyConnections.
func camel(text string) string {
	var b strings.Builder
	start := true
	for _, c := range text {
		switch letter := unicode.IsLetter(c) || unicode.IsDigit(c); {
		case letter && start:
			b.WriteRune(unicode.ToUpper(c))
			start = false
		case letter:
			b.WriteRune(c)
		default:
			start = true
		}
	}
	return b.String()
}

// clauses returns one clause per service that is not healthy.
func clauses(v *health.View) text {
	var all []text
	ready := v.Readiness()
	for _, r := range v.Results() {
		if r.Status != health.Healthy {
			all = append(all, clause(r, ready.Held(r.Service.Name)))
		}
	}
	return join(all)
}

// clause uses the reason's text instead of the fault's message, which may name buckets,
// models or versions: everyone who may read the Pod can read this.
func clause(r health.Result, held bool) text {
	t := plain(fmt.Sprintf("%s is %s: %s", r.Service.Name, r.Status, r.ReasonText()))
	if r.Scope == "" {
		return t
	}
	end := ")"
	if held {
		end = ", so the Pod stays ready)"
	}
	return text{
		full:   t.full + " (" + r.Scope.Describe(r.Finding) + end,
		stable: t.stable + " (" + string(r.Scope) + end,
	}
}

// undecided reports whether the peers are still being asked about a fault.
func undecided(v *health.View) bool {
	return slices.ContainsFunc(v.Results(), func(r health.Result) bool { return r.Scope == health.ScopeUndecided })
}

func names(results []health.Result) string {
	all := make([]string, len(results))
	for i, r := range results {
		all[i] = r.Service.Name
	}
	return strings.Join(all, ", ")
}
