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

// SidecarsLabel is the label of a Service whose EndpointSlices are watched, with the value
// "true". EndpointSlices have the labels of their Service.
const SidecarsLabel = "health.reims.io/sidecars"

// What the definition of the resource lets a status hold.
const (
	maxServices = 64
	maxMessage  = 32768
)

// statusOf returns the status of an object after a round. before is the status that it
// has: times of what did not change are taken from it, so that they survive a change of the
// leader. announced says of which services an Event told that they are unhealthy.
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
		if was := find(before.Services, service.Name); was != nil && was.Status == service.Status && !was.Since.IsZero() {
			service.Since = was.Since
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

// unknownServices are those of a status, of which no Pod can tell: after a start while all are silent.
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

// essence is what a status says without what changes all the time while an outage spreads: numbers and
// names of Pods.
func essence(s *v1alpha1.DependencyHealthStatus) string {
	words := []any{s.ObservedGeneration, s.Status}
	for i := range s.Services {
		each := &s.Services[i]
		words = append(words, each.Name, each.Status, each.Extent, each.Announced)
		if each.Extent != string(fleet.ExtentPods) {
			words = append(words, each.Names)
		}
	}
	for _, c := range s.Conditions {
		words = append(words, c.Type, c.Status, c.Reason)
	}
	return fmt.Sprint(words...)
}

func count(n int) int32 { return int32(n) } //nolint:gosec // of Pods in one workload

func find(services []v1alpha1.ServiceStatus, name string) *v1alpha1.ServiceStatus {
	for i := range services {
		if services[i].Name == name {
			return &services[i]
		}
	}
	return nil
}

// worstOf returns the service to look at first: the one that most Pods call unhealthy or,
// where none does, degraded. It is nil where all is well or not known.
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

// describe says for how many of the Pods that can tell a service is not healthy, and why:
// database 12/12 refused.
func describe(s *fleet.ServiceSummary) string {
	n := s.Pods[health.Unhealthy]
	if n == 0 {
		n = s.Pods[health.Degraded]
	}
	words := fmt.Sprintf("%s %d/%d", s.Name, n, s.Telling())
	if s.Reason != "" {
		words += " " + string(s.Reason)
	}
	return words
}

func healthyCondition(s *fleet.Summary) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionFalse}
	switch s.Status {
	case health.Healthy:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Healthy", "every service is healthy for every Pod that answers"
	case health.Degraded, health.Unhealthy:
		c.Reason = map[health.Status]string{health.Degraded: "Degraded", health.Unhealthy: "Unhealthy"}[s.Status]
		var words []string
		for i := range s.Services {
			if each := &s.Services[i]; each.Impaired() > 0 {
				words = append(words, strings.TrimSpace(describe(each)+" "+each.Where()))
			}
		}
		c.Message = shortened(strings.Join(words, "; "), maxMessage)
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, "TooFewAnswers", "too few Pods can tell: see the condition Reporting"
		if s.Answering > 0 && len(s.Services) == 0 {
			c.Message = "the Pods answer, and none of them has a service"
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
		if why := failureWords(s); why != "" {
			c.Message += ": " + why + "; look at the port, the NetworkPolicies and, with TLS, the certificates"
		}
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Answering", "at least half of the Pods answer"
	}
	return c
}

func failureWords(s *fleet.Summary) string {
	var words []string
	for _, f := range slices.Sorted(maps.Keys(s.Failures)) {
		words = append(words, fmt.Sprintf("%d %s", s.Failures[f], f))
	}
	return strings.Join(words, ", ")
}
