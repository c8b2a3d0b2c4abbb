package health

import (
	"math"
	"slices"
	"time"
)

// Sample is what one check of the past came to.
type Sample struct {
	// Time is when the check ended.
	Time time.Time
	// Status is the verdict from that check on.
	Status Status
	// Latency is how long the service took to answer; zero where it gave none.
	Latency time.Duration
	// Reason is what the check found wrong, or "".
	Reason Reason
}

// Change is one of the past: of a service's status, of the reason for it, or of
// readiness.
type Change struct {
	Time time.Time
	// From and To are statuses or, of readiness, "ready" and "not_ready". They are
	// the same where the reason alone changed.
	From, To string
	// Reason is why it is To; "" where that is all well.
	Reason Reason
}

// Quantiles returns the latency below which each share (0 to 1) of the answers among
// the samples lies, by the nearest rank; nil where there are no answers.
func Quantiles(samples []Sample, shares ...float64) []time.Duration {
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
	quantiles := make([]time.Duration, len(shares))
	for i, share := range shares {
		rank := int(math.Ceil(share * float64(len(answers))))
		quantiles[i] = answers[min(max(rank, 1), len(answers))-1]
	}
	return quantiles
}
