package kube

import (
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// Spread returns the time over which so many Pods spread the writes of a change.
func Spread(pods int) time.Duration { return spread(pods) }

// ConditionOf returns status, reason and message of the condition.
func ConditionOf(v *health.View) (status, reason, message string) {
	c := conditionOf(v)
	return string(c.status), c.reason, c.message.full
}

// EventOf returns type, reason and message of the Event, all empty for none.
func EventOf(reported, now *health.View) (kind, reason, message string) {
	e, _ := eventOf(reported, now)
	return e.kind, e.reason, e.message.full
}
