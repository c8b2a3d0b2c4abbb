package health

import (
	"context"
	"errors"
	"time"
)

// Outcome is what became of one check.
type Outcome struct {
	// Started and Finished bound the check. A check that hangs has one outcome at
	// its timeout and one for each further interval.
	Started, Finished time.Time
	// Observation is what it saw, with Latency filled in.
	Observation Observation
	// Fault says why the service is not well, or is nil.
	Fault *Fault
	// Starved marks an outcome that says nothing about the service, because this
	// process itself did not get the CPU to measure it.
	Starved bool
}

// Answered reports whether the service gave the check an answer to go by, be it slow
// or incomplete: not one that makes it unhealthy, such as a database's that it is a
// standby.
func (o Outcome) Answered() bool { return o.Observation.Latency > 0 }

// Duration is how long the check took, from its start to its end.
func (o Outcome) Duration() time.Duration { return o.Finished.Sub(o.Started) }

// judge completes an outcome that a checker produced: the default latency, the
// degraded latency, and whether our own lateness makes it worthless. Took is the
// time that the lateness was measured over: since the check began or, where it
// hangs, since its latest record.
func judge(svc *Service, o Outcome, took, late time.Duration) Outcome {
	o.Fault = o.Fault.complete(svc.Kind)
	if o.Fault == nil && o.Observation.Latency == 0 {
		o.Observation.Latency = o.Duration()
	}
	if o.Fault != nil && o.Fault.severity() == SeverityDown {
		o.Observation.Latency = 0 // an answer that makes the service unhealthy is no success
	}
	bound := svc.Timeout
	if o.Fault == nil && svc.DegradedLatency > 0 && o.Observation.Latency > svc.DegradedLatency {
		o.Fault = (&Fault{Reason: ReasonSlow}).complete(svc.Kind)
		took, bound = o.Observation.Latency, svc.DegradedLatency
	}
	// What was too long even without our own lateness is the service's.
	o.Starved = o.Fault.timed() && late > bound/2 && took-late <= bound
	return o
}

// timed reports whether the fault is a measurement of time.
func (f *Fault) timed() bool {
	if f == nil {
		return false
	}
	return f.Reason == ReasonTimeout || f.Reason == ReasonSlow || errors.Is(f.Err, context.DeadlineExceeded)
}
