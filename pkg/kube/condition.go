package kube

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/reims/reims-health/pkg/health"
)

// ConditionType is the type of the one condition that a [Reporter] writes.
const ConditionType corev1.PodConditionType = "reims.io/DependenciesHealthy"

// The reasons that name no service.
const (
	reasonHealthy  = "DependenciesHealthy"
	reasonNoResult = "NoResultYet"
	reasonStopped  = "SidecarStopped"
)

// condition is the content of the Pod's condition. Since is when its status last changed.
type condition struct {
	status  corev1.ConditionStatus
	reason  string
	message string
	since   time.Time
}

// says reports whether both are the same, apart from since.
func (c condition) says(other condition) bool {
	return c.status == other.status && c.reason == other.reason && c.message == other.message
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
		return condition{status: corev1.ConditionFalse, reason: reasonOf(worst), message: clauses(v.Results())}
	case pending:
		return condition{status: corev1.ConditionUnknown, reason: reasonNoResult, message: clauses(v.Results())}
	default:
		return condition{
			status: corev1.ConditionTrue, reason: reasonHealthy,
			message: "every dependency is healthy: " + names(v.Results()),
		}
	}
}

// stopped is the condition that a sidecar writes when it stops.
func stopped() condition {
	return condition{
		status: corev1.ConditionUnknown, reason: reasonStopped,
		message: "the sidecar has stopped: nothing watches the dependencies",
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
func clauses(results []health.Result) string {
	var all []string
	for _, r := range results {
		if r.Status != health.Healthy {
			all = append(all, clause(r))
		}
	}
	return strings.Join(all, "; ")
}

// clause uses the reason's text and not the fault's message, which may name buckets,
// models or versions: everyone who may read a Pod can read this.
func clause(r health.Result) string {
	return fmt.Sprintf("%s is %s: %s", r.Service.Name, r.Status, r.ReasonText())
}

func names(results []health.Result) string {
	all := make([]string, len(results))
	for i, r := range results {
		all[i] = r.Service.Name
	}
	return strings.Join(all, ", ")
}
