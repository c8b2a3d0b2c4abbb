package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Checker asks one dependency whether it is well. It is called by one goroutine
// at a time.
type Checker interface {
	// Check returns what it saw and, where the dependency is not well, a [Fault].
	// Any other error counts as a fault with the reason timeout, when it wraps
	// [context.DeadlineExceeded], or error. It must return soon after ctx is done; a
	// check that does not is recorded as timed out and not started again until it
	// has come back.
	Check(ctx context.Context) (Observation, error)
}

// Redialer is a [Checker] that keeps connections. Old connections lie: a database
// that failed over says read-only on them, and DNS, TLS and the login are proven
// only by dialling.
type Redialer interface {
	// Redial makes the next check dial afresh. It is called before a check while the
	// verdict is in doubt and once per lifetime of the connections, never while a check is
	// running, and does not block.
	Redial()
}

// Policy says what a service means for readiness.
type Policy string

// The policies.
const (
	PolicyStrict  Policy = "strict"  // proven, and not unhealthy for longer than the grace
	PolicyStartup Policy = "startup" // proven once; from then on it never matters
	PolicyIgnore  Policy = "ignore"  // it never matters
)

// Service is one dependency and how it is judged. Every duration is above zero
// but for DegradedLatency, ConnectionLifetime and ReadinessGrace, where zero means none. All else but
// Kind, Endpoint, DocsURL, Words, SharedFault, PeersTimeout, Lost and Restored is required as well; [NewMonitor] checks it.
type Service struct {
	Name    string
	Checker Checker
	// Kind describes what checks of the service report. Nil: nothing is known of it.
	Kind *Kind
	// Endpoint is where the service is, such as https://billing.example/health, for
	// readers who may see names. It holds no secret. Empty: the checks report it, or
	// nothing does.
	Endpoint string
	// DocsURL is where the documentation is, with no slash at its end, for links to the text
	// on a reason. Empty: there are no links.
	DocsURL string
	// Words puts the names of the service's variables into a next step. Nil: it is shown as
	// it is written.
	Words func(next string) string

	// Interval is the time from the end of a check to the start of the next one,
	// give or take a tenth.
	Interval time.Duration
	// Timeout bounds one check: dial, login, answer.
	Timeout time.Duration
	// FailureThreshold is how many results in a row it takes to make the verdict
	// worse, SuccessThreshold how many to make it better. At least 1. The first
	// result of all decides at once.
	FailureThreshold int
	SuccessThreshold int
	// DegradedLatency is the latency above which a good answer is slow.
	DegradedLatency time.Duration
	// ConnectionLifetime is the age at which the checker's connections are replaced, less up
	// to a sixth, so that Pods that were started at once do not dial at once for ever. Zero:
	// they are not replaced for their age.
	ConnectionLifetime time.Duration

	Readiness      Policy
	ReadinessGrace time.Duration
	// SharedFault says what a fault that the peers see too means for readiness. The zero
	// value is that none are asked.
	SharedFault SharedFault
	// PeersTimeout bounds one question to the peers. It is how much longer than a second
	// their evidence may take to come in; zero is no longer.
	PeersTimeout time.Duration

	// Lost receives when a connection that the checker keeps was lost between two checks.
	// The next check then begins within a quarter of a second: at most once per interval
	// and, after one that found nothing wrong, not for ten. Nil: nothing tells.
	Lost <-chan struct{}

	// Restored is what an earlier process of the same Pod knew of the service; the
	// zero value is nothing. It counts until the first result and, of what was proven,
	// from then on.
	Restored Restored
}

// Restored is the part of a service's history that readiness rests on.
type Restored struct {
	// Proven says that the service was proven.
	Proven bool
	// FailingSince is the moment from which the service was unhealthy; the zero time
	// where it was not. One in the future, as after a clock was set back, counts as
	// the moment at which watching begins.
	FailingSince time.Time
	// Held says that the Pod was ready all the same, because the fault was shared or the
	// peers were being asked. It then comes back held, until they have told.
	Held bool
}

// validate returns all that is wrong with the services; nil where nothing is.
func validate(services []*Service) error {
	var problems []error
	seen := make(map[string]bool)
	for i, s := range services {
		if s == nil || s.Name == "" {
			problems = append(problems, fmt.Errorf("service %d has no name: give it one", i+1))
		} else if seen[s.Name] {
			problems = append(problems, fmt.Errorf("service %q is there twice: give each a name of its own", s.Name))
		}
		if s != nil {
			seen[s.Name] = true
			problems = append(problems, s.validate()...)
		}
	}
	return errors.Join(problems...)
}

func (s *Service) validate() (problems []error) {
	for _, rule := range []struct {
		broken bool
		text   string
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
		if rule.broken {
			problems = append(problems, fmt.Errorf("service %q: %s", s.Name, rule.text))
		}
	}
	return problems
}

// StaleAfter is the age past which a result no longer counts: the service is then
// unhealthy, with the reason stale.
func (s *Service) StaleAfter() time.Duration { return 2*s.Interval + s.Timeout }
