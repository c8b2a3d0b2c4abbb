package health

import (
	"math"
	"slices"
	"time"
)

// Sample is the result of one past check.
type Sample struct {
	// Time is when the check ended.
	Time time.Time
	// Status is the verdict after that check.
	Status Status
	// Latency is the time until the service answered; zero if it did not.
	Latency time.Duration
	// Reason is the reason of the check's fault, or "".
	Reason Reason
}

// Change is one past change: of a service's status, of its reason, or of readiness.
type Change struct {
	Time time.Time
	// From and To are names of statuses or, for readiness, "ready" and "not_ready". They
	// are equal if only the reason changed.
	From, To string
	// Reason is the reason for To; "" if it is healthy or ready.
	Reason Reason
}

// Quantiles returns a quantile of the latency of the samples for each fraction (0 to 1), by
// the nearest rank. Samples without an answer are left out. If all are, it returns nil.
func Quantiles(samples []Sample, fractions ...float64) []time.Duration {
	var answers []time.Duration
	for _, s := range samples {
		if s.Latency > 0 {
			answers = append(answers, s.Latency)
		}
	}
	if len(answers) == 0 {
		return nil
	}
	slices.Sort(answers)
	quantiles := make([]time.Duration, len(fractions))
	for i, fraction := range fractions {
		rank := int(math.Ceil(fraction * float64(len(answers))))
		quantiles[i] = answers[min(max(rank, 1), len(answers))-1]
	}
	return quantiles
}
