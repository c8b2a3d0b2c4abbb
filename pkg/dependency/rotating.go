package dependency

import (
	"context"
	"errors"

	"github.com/reims/reims-health/pkg/health"
)

// Rotating checks a server whose whole address is in the file of a secret, such as a URL with
// the login. The file is read before each check, so that a new or changed file needs no
// restart.
type Rotating struct {
	// Read returns the text. Its error fails the check with [health.ReasonAuth].
	Read func() (string, error)
	// New returns the checker for a text. An error that is a [health.Fault] is returned by the
	// check; any other fails it with [health.ReasonAuth]. It must not quote the text.
	New func(text string) (Checker, error)
	// Variable is the name of the variable of the file, for messages.
	Variable string
	// Certificates are those of the checkers. They are forgotten when the text changes. Nil:
	// there are none.
	Certificates *Certificates

	text    string
	current Checker
}

// Check implements [health.Checker].
func (r *Rotating) Check(ctx context.Context) (health.Observation, error) {
	text, err := r.Read()
	if err != nil {
		return health.Observation{}, &health.Fault{Reason: health.ReasonAuth, Message: "the file that " + r.Variable + " names cannot be read", Err: err}
	}
	if r.current == nil || text != r.text {
		made, err := r.New(text)
		if fault := (*health.Fault)(nil); errors.As(err, &fault) {
			return health.Observation{}, fault
		}
		if err != nil {
			return health.Observation{}, &health.Fault{Reason: health.ReasonAuth, Message: "the file that " + r.Variable + " names holds no address that can be used", Err: err}
		}
		_ = r.Close() // of the old address
		r.Certificates.Forget()
		r.current, r.text = made, text
	}
	return r.current.Check(ctx)
}

// Redial implements [health.Redialer].
func (r *Rotating) Redial() {
	if redialer, ok := r.current.(health.Redialer); ok {
		redialer.Redial()
	}
}

// Close closes the checker. It must not be called during a check.
func (r *Rotating) Close() error {
	if r.current == nil {
		return nil
	}
	return r.current.Close()
}
