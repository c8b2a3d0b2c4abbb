package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

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
