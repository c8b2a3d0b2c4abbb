package kube

import "github.com/reims/reims-health/pkg/health"

// ConditionOf returns status, reason and message of the condition.
func ConditionOf(v *health.View) (status, reason, message string) {
	c := conditionOf(v)
	return string(c.status), c.reason, c.message
}

// EventOf returns type, reason and message of the Event, all empty for none.
func EventOf(reported, now *health.View) (kind, reason, message string) {
	e, _ := eventOf(reported, now)
	return e.kind, e.reason, e.message
}
