package controller

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/fleet/v1alpha1"
	"github.com/reims/reims-health/pkg/health"
)

// SidecarsLabel is the label of Services whose EndpointSlices are watched; its value is
// "true". EndpointSlices have the labels of their Service.
const SidecarsLabel = "health.reims.io/sidecars"

// Limits of a status in the CustomResourceDefinition.
const (
	maxServices = 64
	maxMessage  = 32768
)

// statusOf returns the status of an object after a round. before is its current status; times of
// unchanged parts are taken from it, so that they survive a change of the leader. announced reports
// whether the latest Event about a service says that it is unhealthy.
func statusOf(s *fleet.Summary, before *v1alpha1.DependencyHealthStatus, announced func(service string) bool) v1alpha1.DependencyHealthStatus {
	now := metav1.Time{Time: s.At.Truncate(time.Second)}
	status := v1alpha1.DependencyHealthStatus{
		ObservedGeneration: s.Target.Generation,
		Status:             s.Status.String(),
		Since:              now,
		Pods:               v1alpha1.PodCounts{Known: count(s.Known), Answering: count(s.Answering), Ready: count(s.Ready)},
		Conditions:         slices.Clone(before.Conditions),
	}
	if before.Status == status.Status && !before.Since.IsZero() {
		status.Since = before.Since
	}
	services := s.Services
	if s.Answering == 0 && len(services) == 0 {
		services = unknownServices(before, s.Known)
	}
	for i := range services[:min(len(services), maxServices)] {
		service := serviceStatus(&services[i])
		service.Announced = announced(service.Name)
		service.Since = now
		if previous := findService(before.Services, service.Name); previous != nil && previous.Status == service.Status && !previous.Since.IsZero() {
			service.Since = previous.Since
		}
		status.Services = append(status.Services, service)
	}
	status.Summary = v1alpha1.Summary{Pods: fmt.Sprintf("%d/%d", s.Answering, s.Known)}
	if worst := worstOf(s); worst != nil {
		status.Summary.Worst, status.Summary.Extent = describe(worst), worst.Where()
	}
	for _, c := range []metav1.Condition{healthyCondition(s), reportingCondition(s)} {
		c.ObservedGeneration, c.LastTransitionTime = s.Target.Generation, now
		meta.SetStatusCondition(&status.Conditions, c)
	}
	return status
}

// unknownServices returns the services of a status as unknown: after a start while no Pod answers.
func unknownServices(before *v1alpha1.DependencyHealthStatus, pods int) (all []fleet.ServiceSummary) {
	for i := range before.Services {
		all = append(all, fleet.ServiceSummary{Name: before.Services[i].Name, Pods: map[health.Status]int{health.Unknown: pods}})
	}
	return all
}

func serviceStatus(s *fleet.ServiceSummary) v1alpha1.ServiceStatus {
	status := v1alpha1.ServiceStatus{
		Name: s.Name, Status: s.Status.String(), Extent: string(s.Extent), Names: s.Names,
		Pods: v1alpha1.ServicePods{
			Healthy: count(s.Pods[health.Healthy]), Degraded: count(s.Pods[health.Degraded]),
			Unhealthy: count(s.Pods[health.Unhealthy]), Unknown: count(s.Pods[health.Unknown]),
		},
	}
	for _, r := range s.Reasons {
		status.Reasons = append(status.Reasons, v1alpha1.ReasonCount{Reason: string(r.Reason), Pods: count(r.Pods)})
	}
	return status
}

// significantParts returns the parts of a status that do not change all the time while an outage spreads:
// all except numbers and names of Pods.
func significantParts(s *v1alpha1.DependencyHealthStatus) string {
	parts := []any{s.ObservedGeneration, s.Status}
	for i := range s.Services {
		each := &s.Services[i]
		parts = append(parts, each.Name, each.Status, each.Extent, each.Announced)
		if each.Extent != string(fleet.ExtentPods) {
			parts = append(parts, each.Names)
		}
	}
	for _, c := range s.Conditions {
		parts = append(parts, c.Type, c.Status, c.Reason)
	}
	return fmt.Sprint(parts...)
}

func count(n int) int32 { return int32(n) } //nolint:gosec // of Pods in one workload

func findService(services []v1alpha1.ServiceStatus, name string) *v1alpha1.ServiceStatus {
	for i := range services {
		if services[i].Name == name {
			return &services[i]
		}
	}
	return nil
}

// worstOf returns the service to look at first: the one that is unhealthy for the most Pods or, if
// there is none, degraded for the most. It is nil if no service is degraded or unhealthy.
func worstOf(s *fleet.Summary) *fleet.ServiceSummary {
	var worst *fleet.ServiceSummary
	for i := range s.Services {
		each := &s.Services[i]
		if each.Impaired() == 0 {
			continue
		}
		if worst == nil || cmp.Or(
			each.Pods[health.Unhealthy]-worst.Pods[health.Unhealthy],
			each.Pods[health.Degraded]-worst.Pods[health.Degraded],
		) > 0 {
			worst = each
		}
	}
	return worst
}

// describe returns for how many of the Pods with a result a service is not healthy, and why, such as
// database 12/12 refused.
func describe(s *fleet.ServiceSummary) string {
	n := s.Pods[health.Unhealthy]
	if n == 0 {
		n = s.Pods[health.Degraded]
	}
	parts := fmt.Sprintf("%s %d/%d", s.Name, n, s.Telling())
	if s.Reason != "" {
		parts += " " + string(s.Reason)
	}
	return parts
}

func healthyCondition(s *fleet.Summary) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse}
	switch s.Status {
	case health.Healthy:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Healthy", "every service is healthy for every Pod that answers"
	case health.Degraded, health.Unhealthy:
		c.Reason = map[health.Status]string{health.Degraded: "Degraded", health.Unhealthy: "Unhealthy"}[s.Status]
		var parts []string
		for i := range s.Services {
			if each := &s.Services[i]; each.Impaired() > 0 {
				parts = append(parts, strings.TrimSpace(describe(each)+" "+each.Where()))
			}
		}
		c.Message = truncate(strings.Join(parts, "; "), maxMessage)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, "TooFewAnswers", "too few Pods have a result: see the condition Reporting"
		if s.Answering > 0 && len(s.Services) == 0 {
			c.Message = "the Pods answer, but none of them has a service"
		}
	}
	return c
}

func reportingCondition(s *fleet.Summary) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReporting, Status: metav1.ConditionFalse}
	switch {
	case s.Known == 0:
		c.Reason = "NoPods"
		c.Message = fmt.Sprintf("Service %s has no EndpointSlice with the label %s: \"true\", or no Pod: give the Service that label, "+
			"and let its selector match Pods with the sidecar", s.Target.Service, SidecarsLabel)
	case 2*s.Answering < s.Known:
		c.Reason, c.Message = "TooFewAnswers", fmt.Sprintf("%d of %d Pods answer", s.Answering, s.Known)
		if why := failuresText(s); why != "" {
			c.Message += ": " + why + "; look at the port, the NetworkPolicies and, with TLS, the certificates"
		}
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Answering", "at least half of the Pods answer"
	}
	return c
}

func failuresText(s *fleet.Summary) string {
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(s.Failures)) {
		parts = append(parts, fmt.Sprintf("%d %s", s.Failures[f], f))
	}
	return strings.Join(parts, ", ")
}
