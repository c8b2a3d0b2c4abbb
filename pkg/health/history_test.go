package health_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"

	"github.com/reims/reims-health/pkg/health"
)

// epoch is when every pure test starts to watch.
var epoch = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// service returns one with short thresholds and the given changes.
func service(name string, edits ...func(*health.Service)) *health.Service {
	s := &health.Service{
		Name: name, Kind: everyReason, Interval: 10 * time.Second, Timeout: 2 * time.Second,
		FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyStrict, Checker: &fake{},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func thresholds(failure, success int) func(*health.Service) {
	return func(s *health.Service) { s.FailureThreshold, s.SuccessThreshold = failure, success }
}

func policy(p health.Policy, grace time.Duration) func(*health.Service) {
	return func(s *health.Service) { s.Readiness, s.ReadinessGrace = p, grace }
}

// faults maps the letters that histories are written in to what a check returned:
// Healthy, Degraded, Unhealthy, Timeout, Suspect, unProven, eXhausted (starved).
var faults = map[rune]*health.Fault{
	'H': nil,
	'D': {Reason: health.ReasonOverloaded},
	'U': {Reason: health.ReasonRefused},
	'T': {Reason: health.ReasonTimeout, Err: errors.New("i/o timeout")},
	'S': {Reason: health.ReasonAuth},
	'P': {Reason: postgres.ReasonSchemaBehind},
	'X': {Reason: health.ReasonTimeout},
}

// letters maps back the statuses.
var letters = map[health.Status]string{health.Unknown: "?", health.Healthy: "H", health.Degraded: "D", health.Unhealthy: "U"}

// outcome is that of a check which ended at a moment and took 3 ms.
func outcome(letter rune, finished time.Time) health.Outcome {
	return health.Outcome{
		Started: finished.Add(-3 * time.Millisecond), Finished: finished,
		Fault: faults[letter], Starved: letter == 'X',
	}
}

// at is the moment that many seconds after the epoch.
func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// replay feeds a history, one outcome a second from the epoch on, and returns
// every result on the way.
func replay(svc *health.Service, history string) []health.Result {
	r := health.NewResult(svc, epoch)
	var results []health.Result
	for i, letter := range history {
		r = r.Next(outcome(letter, at(float64(i+1))))
		results = append(results, r)
	}
	return results
}

// reading is a view of results, taken at a moment, with no override and no shutdown.
func reading(now time.Time, results ...health.Result) *health.View {
	return health.NewView(now, results, health.NoOverride, false)
}

// final is the result after a history.
func final(svc *health.Service, history string) health.Result {
	if history == "" {
		return health.NewResult(svc, epoch)
	}
	results := replay(svc, history)
	return results[len(results)-1]
}

// spell writes a letter for each result's status.
func spell(results []health.Result) string {
	var b strings.Builder
	for _, r := range results {
		b.WriteString(letters[r.Status])
	}
	return b.String()
}

// coherent checks that a reason belongs to the status that it explains.
func coherent(r health.Result) error {
	f := r.Fault()
	switch {
	case r.Status == health.Unknown:
		if r.Reason() != health.ReasonNoResult {
			return fmt.Errorf("unknown with the reason %q", r.Reason())
		}
		return nil
	case r.Status == health.Healthy:
		if f != nil || r.Reason() != "" || r.Message() != "" {
			return fmt.Errorf("%s with the reason %q", r.Status, r.Reason())
		}
		return nil
	case f == nil || r.Reason() == "" || r.Message() == "":
		return fmt.Errorf("%s without a reason", r.Status)
	}
	severity := f.Severity
	if severity == health.SeverityInherit {
		severity = severityOf(f.Reason)
	}
	allowed := map[health.Status][]health.Severity{
		health.Degraded:  {health.SeveritySuspect, health.SeverityImpaired, health.SeverityUnproven},
		health.Unhealthy: {health.SeveritySuspect, health.SeverityDown},
	}
	if slices.Contains(allowed[r.Status], severity) {
		return nil
	}
	return fmt.Errorf("%s with %q, of severity %d", r.Status, r.Reason(), severity)
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func severityOf(r health.Reason) health.Severity {
	text, _ := everyReason.Explain(r)
	return text.Severity
}
