package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

func TestThresholds(t *testing.T) {
	t.Parallel()
	for failure := 1; failure <= 4; failure++ {
		for success := 1; success <= 4; success++ {
			t.Run(fmt.Sprintf("failure %d success %d", failure, success), func(t *testing.T) {
				t.Parallel()
				svc := service("db", thresholds(failure, success))
				repeat := strings.Repeat
				history := "H" + repeat("U", failure) + repeat("H", success)
				want := repeat("H", failure) + repeat("U", success) + "H"
				same(t, "statuses after "+history, spell(replay(svc, history)), want)
			})
		}
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		failure, success int
		history, want    string
	}{
		{"first healthy decides", 3, 3, "H", "H"},
		{"first degraded decides", 3, 3, "D", "D"},
		{"first unhealthy decides", 3, 3, "U", "U"},
		{"starved first does not decide", 1, 1, "XXU", "??U"},

		{"a blip is not an outage", 2, 1, "HUHUHU", "HHHHHH"},
		{"failures must be consecutive", 3, 1, "HUUHUUHUUU", "HHHHHHHHHU"},
		{"successes must be consecutive", 1, 3, "UHHUHHUHHH", "UUUUUUUUUH"},
		{"a starved outcome breaks no run", 2, 1, "HUXU", "HHHU"},
		{"a starved outcome extends no run", 2, 2, "HUXHUXXXX", "HHHHHHHHH"},

		{"worse as far as all agree", 2, 1, "HUD", "HHD"},
		{"worse as far as all agree, other order", 2, 1, "HDU", "HHD"},
		{"and further when the run does", 2, 1, "HDUU", "HHDU"},
		{"all of three", 3, 1, "HUUDU", "HHHDD"},
		{"better as far as all agree", 1, 2, "UHD", "UUD"},
		{"better as far as all agree, other order", 1, 2, "UDH", "UUD"},
		{"and further when the run goes on", 1, 2, "UDHH", "UUDH"},
		{"straight to healthy", 1, 2, "UHH", "UUH"},
		{"degraded to unhealthy", 2, 2, "DUU", "DDU"},
		{"degraded to healthy", 2, 2, "DHH", "DDH"},
		{"a run may begin before the verdict it changes", 2, 3, "UUDDDHH", "UUUUDDD"},

		{"suspect before proven", 1, 1, "S", "U"},
		{"suspect once healthy", 1, 1, "HS", "HD"},
		{"suspect once impaired", 1, 1, "DS", "DD"},
		{"suspect after unproven", 1, 1, "PS", "DU"},
		{"suspect after suspect", 1, 1, "SSSHS", "UUUHD"},
		{"unhealthy proves nothing", 1, 1, "US", "UU"},
		{"starved proves nothing", 1, 1, "XS", "?U"},
		{"suspect, proven below the threshold", 1, 2, "SHSS", "UUDD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			results := replay(service("db", thresholds(tt.failure, tt.success)), tt.history)
			same(t, "statuses after "+tt.history, spell(results), tt.want)
			for _, r := range results {
				if err := coherent(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// facts is what a result tells its readers.
type facts struct {
	Status      health.Status
	Reason      health.Reason
	Since       time.Time
	LastSuccess time.Time
	Failures    int
	Proven      bool
	InDoubt     bool
	Checks      uint64
	Discarded   uint64
}

func factsOf(r health.Result) facts {
	return facts{
		r.Status, r.Reason(), r.Since, r.LastSuccess, r.ConsecutiveFailures,
		r.Proven, r.InDoubt(), r.Checks, r.Discarded,
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	const (
		proven, doubt = true, true
		healthy       = health.Healthy
		degraded      = health.Degraded
		unhealthy     = health.Unhealthy
	)
	never := time.Time{}
	tests := []struct {
		name, history string
		want          facts
	}{
		{"nothing yet", "", facts{health.Unknown, "no_result", at(0), never, 0, !proven, !doubt, 0, 0}},
		{"nothing that counts", "XX", facts{health.Unknown, "no_result", at(0), never, 0, !proven, !doubt, 0, 2}},
		{"healthy at once", "H", facts{healthy, "", at(1), at(1), 0, proven, !doubt, 1, 0}},
		{"still healthy", "HHH", facts{healthy, "", at(1), at(3), 0, proven, !doubt, 3, 0}},
		{"unhealthy at once", "U", facts{unhealthy, "refused", at(1), never, 1, !proven, doubt, 1, 0}},
		{"confirmed", "UU", facts{unhealthy, "refused", at(1), never, 2, !proven, !doubt, 2, 0}},
		{"first failure", "HHU", facts{healthy, "", at(1), at(2), 1, proven, doubt, 3, 0}},
		{"blip", "HUH", facts{healthy, "", at(1), at(3), 0, proven, !doubt, 3, 0}},
		{"outage", "HUT", facts{unhealthy, "timeout", at(3), at(1), 2, proven, !doubt, 3, 0}},
		{"latest reason of the status", "HUTUD", facts{degraded, "overloaded", at(5), at(1), 4, proven, !doubt, 5, 0}},
		{"reason outlives a doubt", "DDU", facts{degraded, "overloaded", at(1), never, 3, proven, doubt, 3, 0}},
		{"recovered", "HUUH", facts{healthy, "", at(4), at(4), 0, proven, !doubt, 4, 0}},
		{"degraded is no success", "HDD", facts{degraded, "overloaded", at(3), at(1), 2, proven, !doubt, 3, 0}},
		{"unproven", "PP", facts{degraded, "schema_behind", at(1), never, 2, !proven, !doubt, 2, 0}},
		{"starved changes only its count", "HUX", facts{healthy, "", at(1), at(1), 1, proven, doubt, 2, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, factsOf(final(service("db"), tt.history))); diff != "" {
				t.Errorf("after %q (-want +got):\n%s", tt.history, diff)
			}
		})
	}
}

// A probe may know better than the table: a Redis replica is only degraded.
func TestFaultSeverityOverridesItsReason(t *testing.T) {
	t.Parallel()
	o := outcome('U', at(1))
	o.Fault = &health.Fault{Reason: health.ReasonReadOnly, Severity: health.SeverityImpaired, Message: "a replica"}
	r := health.NewResult(service("redis"), epoch).Next(o)
	same(t, "status", r.Status, health.Degraded)
	same(t, "proven", r.Proven, true)
	same(t, "reason", r.Reason(), health.ReasonReadOnly)
	same(t, "message", r.Message(), "a replica")
}

func TestResultIsAValue(t *testing.T) {
	t.Parallel()
	before := final(service("db"), "HU")
	want := factsOf(before)
	before.Next(outcome('U', at(3)))
	before.Next(outcome('X', at(3)))
	before.At(at(1000))
	if diff := cmp.Diff(want, factsOf(before)); diff != "" {
		t.Errorf("changed by what followed (-want +got):\n%s", diff)
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	const age = 2*10 + 2 // seconds: 2 * interval + timeout
	tests := []struct {
		name, history string
		after         time.Duration // the expiry
		want          string
		since         float64
	}{
		{"fresh to the last moment", "H", 0, "healthy", 1},
		{"stale just past it", "H", 1, "unhealthy stale", 1 + age},
		{"long stale", "H", time.Hour, "unhealthy stale", 1 + age},
		{"unhealthy goes stale, and since stays", "UU", 1, "unhealthy stale", 1},
		{"unhealthy and fresh", "UU", 0, "unhealthy refused", 1},
		{"no result yet", "", 0, "unknown no_result", 0},
		{"no result for too long", "", 1, "unhealthy stale", age},
		{"a starved outcome does not refresh", "HXX", 1, "unhealthy stale", 1 + age},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := final(service("db"), tt.history)
			read := r.At(r.Expires().Add(tt.after))
			same(t, "verdict", strings.TrimSpace(read.Status.String()+" "+string(read.Reason())), tt.want)
			same(t, "since", read.Since, at(tt.since))
			same(t, "OK", read.OK(), tt.want == "healthy")
		})
	}
}

// What readers saw is what the next result builds on: a service that went stale
// does not turn healthy again because a check failed.
func TestNextAfterStale(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before string
		success      int
		next         rune
		status       health.Status
		reason       health.Reason
		since        float64
	}{
		{"a failure", "H", 1, 'U', health.Unhealthy, "refused", 23},
		{"a success", "H", 1, 'H', health.Healthy, "", 100},
		{"a success in a run of them", "HHH", 3, 'H', health.Healthy, "", 100},
		{"a success below the threshold", "HU", 2, 'H', health.Unhealthy, "stale", 24},
		{"degraded", "H", 1, 'D', health.Degraded, "overloaded", 100},
		{"the first result decides however late", "", 3, 'H', health.Healthy, "", 100},
		{"the first result is a failure", "", 3, 'U', health.Unhealthy, "refused", 22},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := final(service("db", thresholds(2, tt.success)), tt.before).Next(outcome(tt.next, at(100)))
			same(t, "status", r.Status, tt.status)
			same(t, "reason", r.Reason(), tt.reason)
			same(t, "since", r.Since, at(tt.since))
		})
	}
}
