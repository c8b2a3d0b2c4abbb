package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Outcome is the end of one check: what it measured and the fault that it found.
type Outcome struct {
	// Started and Finished bound the check. A check that hangs has one outcome at its
	// timeout, and then one per interval.
	Started, Finished time.Time
	// Observation is what the check measured, with Latency filled in.
	Observation Observation
	// Fault says why the service is not healthy. Nil: it is.
	Fault *Fault
	// Starved marks an outcome that says nothing about the service, because this process
	// did not get enough CPU to measure it.
	Starved bool
}

// Answered reports whether the service gave a usable answer, even a slow or incomplete one.
// An answer that makes it unhealthy is not usable, such as that a database is a standby.
func (o Outcome) Answered() bool { return o.Observation.Latency > 0 }

// Duration returns the time from the start of the check to its end.
func (o Outcome) Duration() time.Duration { return o.Finished.Sub(o.Started) }

// judge completes an outcome of a checker: the default latency, the fault of a slow
// answer, and Starved. Late is how late this process ran during took: the time since the
// check started or, if it hangs, since its latest record.
func judge(svc *Service, o Outcome, took, late time.Duration) Outcome {
	o.Fault = o.Fault.complete(svc.Kind)
	good := o.Fault.yieldsToOthers()
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
	o.Starved = o.Fault.measuresTime() && excused(took, late, bound)
	return o
}

// excused reports whether our own lateness explains that a time exceeds its bound. A time that is
// too long even without our own lateness is a fault of the service.
func excused(took, late, bound time.Duration) bool { return late > bound/2 && took-late <= bound }

// yieldsToOthers reports whether any other fault replaces this one: it is nil, or a
// certificate that expires soon. In both cases the server gave a good answer.
func (f *Fault) yieldsToOthers() bool { return f == nil || f.Reason == ReasonCertificateExpiring }

// measuresTime reports whether the fault is that something took too long.
func (f *Fault) measuresTime() bool {
	if f == nil {
		return false
	}
	return f.Reason == ReasonTimeout || f.Reason == ReasonSlow || errors.Is(f.Err, context.DeadlineExceeded)
}

// Fault is the error that a [Checker] returns: a driver's error, classified.
//
// Responses and metrics have Reason and Message only. Err is the driver's own text, which
// can hold hosts, users and passwords. It is for the log and for check --direct, redacted.
type Fault struct {
	// Reason is the class of the fault: one of [Reasons]. Any other counts as [ReasonError].
	Reason Reason
	// Severity overrides the severity of Reason. The default is SeverityInherit.
	Severity Severity
	// Message says what is wrong and what to look at. It must hold no secret and no
	// driver's text. The default is the message of Reason.
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

// complete returns the fault for a service of the kind. An inherited severity and an empty
// message are those of its reason. A fault with an unknown reason, as a checker of another
// program may return, becomes one with [ReasonError] that wraps it.
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
