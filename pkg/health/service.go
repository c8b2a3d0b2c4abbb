package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Checker checks one dependency. It is called by one goroutine at a time.
type Checker interface {
	// Check returns what it measured and, if the dependency is not healthy, a [Fault].
	// Any other error counts as a fault with the reason timeout, if it wraps
	// [context.DeadlineExceeded], or else error. It must return soon after ctx is done. If
	// it does not, a timeout is recorded, and the next check starts after it has returned.
	Check(ctx context.Context) (Observation, error)
}

// Redialer is a [Checker] that keeps connections. Old connections can give wrong results:
// after a failover they may still lead to the old server, which is read-only now. Faults of
// DNS, TLS and the login show only on a new connection.
type Redialer interface {
	// Redial makes the next check open a new connection. It is called before a check while
	// the verdict is in doubt and once per lifetime of the connections. It is never called
	// while a check is running, and does not block.
	Redial()
}

// Policy says what a service means for readiness.
type Policy string

// The policies.
const (
	PolicyStrict  Policy = "strict"  // must be proven, and not unhealthy for longer than the grace
	PolicyStartup Policy = "startup" // must have been proven once
	PolicyIgnore  Policy = "ignore"  // does not affect readiness
)

// Service is one dependency and the settings of its checks. Name, Checker, Interval,
// Timeout, the thresholds and Readiness are required; [NewMonitor] checks them. The zero
// value of any other field is valid.
type Service struct {
	Name    string
	Checker Checker
	// Kind describes what the checks of the service report. Nil: the kind is unknown.
	Kind *Kind
	// Endpoint is the address of the service, such as https://billing.example/health, for
	// readers who may see names. It holds no secret. It is empty if the checks report the
	// endpoint, or if there is none to show.
	Endpoint string
	// DocsURL is the URL of the documentation, without a slash at its end, for links to the
	// text on a reason. Empty: there are no links.
	DocsURL string
	// Words replaces {NAME} in a next step by the names of the service's variables. Nil:
	// the text is not changed.
	Words func(next string) string

	// Interval is the time from the end of a check to the start of the next one, plus or
	// minus a tenth.
	Interval time.Duration
	// Timeout bounds one check: connecting, login and answer.
	Timeout time.Duration
	// FailureThreshold is the number of outcomes in a row that make the verdict worse,
	// and SuccessThreshold the number that make it better. At least 1. The first outcome
	// sets the verdict.
	FailureThreshold int
	SuccessThreshold int
	// DegradedLatency is the latency above which a good answer is slow. Zero: none is.
	DegradedLatency time.Duration
	// ConnectionLifetime is the age at which the checker's connections are replaced. Up to
	// a sixth is subtracted at random, so that Pods that started together do not always
	// connect together. Zero: they are not replaced because of their age.
	ConnectionLifetime time.Duration

	// Readiness says what the service means for readiness.
	Readiness Policy
	// ReadinessGrace is for how long a strict service may be unhealthy before the Pod is not
	// ready. Zero: there is no grace.
	ReadinessGrace time.Duration
	// SharedFault says what a shared fault means for readiness. Empty: no peers are asked.
	SharedFault SharedFault
	// PeersTimeout bounds one request to a peer. A round of requests takes a second, or this
	// if it is longer.
	PeersTimeout time.Duration

	// Lost receives a value when a connection that the checker keeps was lost between two
	// checks. The next check then starts within a quarter of a second. This happens at most
	// once per interval, and not for ten intervals after such a check found no fault. Nil:
	// lost connections are not watched.
	Lost <-chan struct{}

	// Restored is what an earlier process of the same Pod knew about the service. The zero
	// value is nothing. FailingSince and Held count until the first outcome, Proven for ever.
	Restored Restored
}

// Restored is the state of a service, from an earlier process, that decides readiness.
type Restored struct {
	// Proven says that the service was proven.
	Proven bool
	// FailingSince is the moment from which the service was unhealthy; the zero time if it
	// was not. A moment in the future, as after a clock was set back, counts as the moment
	// at which the monitor is made.
	FailingSince time.Time
	// Held says that the fault was held, see [Cause]. It is then held again until the peers
	// have answered.
	Held bool
}

// validate returns an error that lists every problem of the services, or nil.
func validate(services []*Service) error {
	var problems []error
	seen := make(map[string]bool)
	for i, s := range services {
		if s == nil || s.Name == "" {
			problems = append(problems, fmt.Errorf("service %d has no name: give it one", i+1))
		} else if seen[s.Name] {
			problems = append(problems, fmt.Errorf("service %q is listed twice: give each a different name", s.Name))
		}
		if s != nil {
			seen[s.Name] = true
			problems = append(problems, s.validate()...)
		}
	}
	return errors.Join(problems...)
}

func (s *Service) validate() (problems []error) {
	for _, problem := range []struct {
		found bool
		text  string
	}{
		{s.Checker == nil, "it has no checker"},
		{s.Interval <= 0, fmt.Sprintf("the interval is %s, and must be above zero", s.Interval)},
		{s.Timeout <= 0, fmt.Sprintf("the timeout is %s, and must be above zero", s.Timeout)},
		{s.FailureThreshold < 1, fmt.Sprintf("the failure threshold is %d, and must be 1 or more", s.FailureThreshold)},
		{s.SuccessThreshold < 1, fmt.Sprintf("the success threshold is %d, and must be 1 or more", s.SuccessThreshold)},
		{s.DegradedLatency < 0, fmt.Sprintf("the degraded latency is %s, and must be 0 (none) or more", s.DegradedLatency)},
		{s.ConnectionLifetime < 0, fmt.Sprintf("the connections' lifetime is %s, and must be 0 (for ever) or more", s.ConnectionLifetime)},
		{s.ReadinessGrace < 0, fmt.Sprintf("the readiness grace is %s, and must be 0 (none) or more", s.ReadinessGrace)},
		{
			!slices.Contains([]Policy{PolicyStrict, PolicyStartup, PolicyIgnore}, s.Readiness),
			fmt.Sprintf("the readiness is %q, and must be strict, startup or ignore", s.Readiness),
		},
		{
			!slices.Contains([]SharedFault{"", SharedFaultHold, SharedFaultLeave}, s.SharedFault),
			fmt.Sprintf("the shared fault is %q, and must be hold, leave or empty (no peers)", s.SharedFault),
		},
	} {
		if problem.found {
			problems = append(problems, fmt.Errorf("service %q: %s", s.Name, problem.text))
		}
	}
	return problems
}

// StaleAfter returns the age above which a result no longer counts. The service is then
// unhealthy with the reason stale.
func (s *Service) StaleAfter() time.Duration { return 2*s.Interval + s.Timeout }
