package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// Answered reports whether the service gave the check an answer to go by, even a slow
// or incomplete one: not one that makes it unhealthy, such as a database's that it is a
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
	good := o.Fault.yields()
	if good && o.Observation.Latency == 0 {
		o.Observation.Latency = o.Duration()
	}
	if o.Fault != nil && o.Fault.severity() == SeverityDown {
		o.Observation.Latency = 0 // an answer that makes the service unhealthy is no success
	}
	bound := svc.Timeout
	if good && svc.DegradedLatency > 0 && o.Observation.Latency > svc.DegradedLatency {
		o.Fault = (&Fault{Reason: ReasonSlow}).complete(svc.Kind)
		took, bound = o.Observation.Latency, svc.DegradedLatency
	}
	// What was too long even without our own lateness is the service's.
	o.Starved = o.Fault.timed() && late > bound/2 && took-late <= bound
	return o
}

// yields reports whether there is no fault, or one that gives way to any other: the server
// gave a good answer.
func (f *Fault) yields() bool { return f == nil || f.Reason == ReasonCertificateExpiring }

// timed reports whether the fault is a measurement of time.
func (f *Fault) timed() bool {
	if f == nil {
		return false
	}
	return f.Reason == ReasonTimeout || f.Reason == ReasonSlow || errors.Is(f.Err, context.DeadlineExceeded)
}

// Fault is the error that a [Checker] returns: a driver's error, classified.
//
// Only Reason and Message leave the process. Err is the driver's own text, which
// can carry hosts, users and passwords: it goes to the log, redacted, and
// nowhere else.
type Fault struct {
	// Reason is the class of the fault: one of Reasons. Any other counts as Error.
	Reason Reason
	// Severity overrides what Reason means; the default is SeverityInherit.
	Severity Severity
	// Message says in plain words what is wrong and what to look at. It must hold
	// nothing secret and no driver's text. The default is the reason's own.
	Message string
	// Err is the cause, or nil.
	Err error
}

// Error returns the reason, the message and the cause: for logs only.
func (f *Fault) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("%s: %s", f.Reason, f.message())
	}
	return fmt.Sprintf("%s: %s: %v", f.Reason, f.message(), f.Err)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

func (f *Fault) message() string {
	if f.Message != "" {
		return f.Message
	}
	text, _ := (*Kind)(nil).Explain(f.Reason)
	return text.Message
}

func (f *Fault) severity() Severity {
	if f.Severity != SeverityInherit {
		return f.Severity
	}
	text, _ := (*Kind)(nil).Explain(f.Reason)
	return text.Severity
}

// complete returns the fault as a service of the kind has it: with the severity and the
// message of its reason, where it has none of its own. A fault with a reason that is not
// in the set, as a checker of another program may return, becomes an [ReasonError] that wraps
// it.
func (f *Fault) complete(k *Kind) *Fault {
	if f == nil {
		return nil
	}
	text, known := k.Explain(f.Reason)
	if !known || !f.Reason.ofFault() {
		f = &Fault{Reason: ReasonError, Severity: f.Severity, Message: f.Message, Err: f}
		text, _ = k.Explain(ReasonError)
	}
	if f.Severity != SeverityInherit && f.Message != "" {
		return f
	}
	complete := *f
	complete.Severity = cmp.Or(f.Severity, text.Severity)
	complete.Message = cmp.Or(f.Message, text.Message)
	return &complete
}

// faultOf classifies what a Checker returned. A nil error is no fault.
func faultOf(err error) *Fault {
	var f *Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{Reason: ReasonTimeout, Err: err}
	default:
		return &Fault{Reason: ReasonError, Err: err}
	}
}
