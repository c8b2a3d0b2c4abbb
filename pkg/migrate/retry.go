package migrate

import (
	"context"
	"errors"
	"time"
)

const (
	// retryPause is the time between two runs.
	retryPause = 2 * time.Second
	// noticePause is the least time between two notices of different failures, and
	// repeatPause that between two of the same.
	noticePause = 5 * time.Second
	repeatPause = 30 * time.Second
)

// notice reports failures after which there is another attempt: each one that says
// something else, and the same one from time to time.
type notice struct {
	options Options
	text    string
	at      time.Time
}

func newNotice(o Options) *notice { return &notice{options: o} }

func (n *notice) failed(err error) {
	text, since := err.Error(), time.Since(n.at)
	if n.options.RetryFor == 0 || n.text != "" && since < noticePause || text == n.text && since < repeatPause {
		return
	}
	n.text, n.at = text, time.Now()
	n.options.Report(Event{Kind: Retrying, Err: err})
}

// mayPass reports whether a server that answered with this SQLSTATE may answer
// otherwise later, with nothing changed by anybody on purpose.
func mayPass(code string) bool {
	switch code {
	case codeTooManyConnections, codeCannotConnectNow, codeLockNotAvailable, codeDeadlock, codeSerialization,
		codeAdminShutdown, codeCrashShutdown, codeIdleSession, codeOutOfMemory:
		return true
	default:
		return false
	}
}

// again reports whether another run may do what this one could not. What a step does
// wrong, and what only a person can decide, stays.
func (m *Migrator) again(err error) bool {
	var (
		locked *LockedError
		lost   *lostError
	)
	return errors.As(err, &locked) || errors.As(err, &lost) || mayPass(sqlState(err))
}

// lostError says that the connection was lost in the middle of a run.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// repeat runs fn until it succeeds, fails for good, or RetryFor is over.
func (m *Migrator) repeat(ctx context.Context, fn func(context.Context, Options) (Result, error)) (Result, error) {
	deadline := time.Now().Add(m.options.RetryFor)
	n := newNotice(m.options)
	var from *int64
	for {
		o := m.options
		o.RetryFor = max(time.Until(deadline), 0)
		result, err := fn(ctx, o)
		if from == nil && (err == nil || result.To > 0) {
			from = &result.From
		}
		if from != nil {
			result.From = *from
		}
		if err == nil || !m.again(err) || time.Until(deadline) < retryPause {
			return result, err
		}
		n.failed(err)
		if !pause(ctx, retryPause) {
			return result, err
		}
	}
}
