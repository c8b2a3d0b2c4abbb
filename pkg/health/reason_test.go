package health_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// contract is the table of reasons that users are promised: the verdict before the
// service was proven, the verdict after, and whether the reason proves.
const contract = `
dns, refused, unreachable, reset, timeout, tls, protocol, error: unhealthy unhealthy
starting_up, database_missing, read_only, stale, quorum, certificate_expired, cluster_down: unhealthy unhealthy
status, body, not_serving, writes_stalled: unhealthy unhealthy
auth, forbidden, too_many_connections, pool_exhausted, clock_skew, panic: unhealthy degraded
slow, overloaded, out_of_memory, disk_full, certificate_expiring: degraded degraded proves
schema_behind: degraded degraded
bucket_missing, model_missing, inference: degraded degraded proves`

func TestReasonsAreTheContracts(t *testing.T) {
	t.Parallel()
	var names []health.Reason
	for line := range strings.Lines(strings.TrimSpace(contract)) {
		reasons, verdicts, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for name := range strings.SplitSeq(reasons, ", ") {
			reason := health.Reason(name)
			names = append(names, reason)
			fresh := health.NewResult(service("db"), epoch).Next(faulty(reason, at(1)))
			proven := final(service("db", thresholds(1, 1)), "H").Next(faulty(reason, at(2)))
			got := fresh.Status.String() + " " + proven.Status.String()
			if fresh.Proven {
				got += " proves"
			}
			same(t, name, got, verdicts)
			same(t, "reason shown", proven.Reason(), reason)
			if err := coherent(proven); err != nil {
				t.Error(err)
			}
		}
	}
	got := health.Reasons(registry.Kinds().Described()...)
	slices.Sort(names)
	slices.Sort(got)
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("reasons (-contract +got):\n%s", diff)
	}
}

// everyReason is a kind that declares the reasons of every kind.
var everyReason = func() *health.Kind {
	all := &health.Kind{Name: "every", Documented: true}
	for _, k := range registry.Kinds().Described() {
		all.Reasons = append(all.Reasons, k.Reasons...)
	}
	return all
}()

// A link leads to a section that is there: one of a reason of every kind, or of a kind whose
// reasons docs/troubleshooting.md has. A kind that somebody adds elsewhere has none there.
func TestDocsLeadToSections(t *testing.T) {
	t.Parallel()
	const site = "https://docs.example.com/health"
	declared := []health.ReasonText{{Reason: "queue_full"}}
	ours, foreign := &health.Kind{Name: "ours", Documented: true, Reasons: declared}, &health.Kind{Name: "foreign", Reasons: declared}
	for _, tt := range []struct {
		site   string
		kind   *health.Kind
		reason health.Reason
		want   string
	}{
		{site, nil, health.ReasonRefused, site + "/troubleshooting.md#refused"},
		{site, ours, health.ReasonRefused, site + "/troubleshooting.md#refused"},
		{site, foreign, health.ReasonRefused, site + "/troubleshooting.md#refused"},
		{site, ours, "queue_full", site + "/troubleshooting.md#queue_full"},
		{site, foreign, "queue_full", ""},
		{site, nil, "queue_full", ""},
		{site, ours, "never_heard_of", ""},
		{site, ours, health.ReasonShutdown, ""},
		{site, ours, "", ""},
		{"", ours, health.ReasonRefused, ""},
	} {
		s := health.Service{Kind: tt.kind, DocsURL: tt.site}
		same(t, fmt.Sprintf("%v: %q", tt.kind, tt.reason), s.Docs(tt.reason), tt.want)
	}
	for _, k := range registry.Kinds().Described() {
		for _, r := range k.Reasons {
			s := health.Service{Kind: k, DocsURL: site}
			same(t, k.Name, s.Docs(r.Reason), site+"/troubleshooting.md#"+string(r.Reason))
		}
	}
}

func faulty(reason health.Reason, finished time.Time) health.Outcome {
	return health.Outcome{Started: finished, Finished: finished, Fault: &health.Fault{Reason: reason}}
}

// The set is closed: a fault with a reason that is none, or that no fault may have,
// counts as an error, which keeps all of it for the log and nothing of it for readers
// but what was written for them.
func TestOtherReasonsCountAsError(t *testing.T) {
	t.Parallel()
	cause := errors.New("secret")
	for _, reason := range []health.Reason{"", "made_up", `"quoted"`, health.ReasonNoResult, health.ReasonOverride, health.ReasonShutdown} {
		for _, given := range []health.Fault{
			{Err: cause},
			{Err: cause, Severity: health.SeverityImpaired},
			{Err: cause, Message: "mail is stuck"},
		} {
			given.Reason = reason
			want := given.Message
			if want == "" {
				want = "the check failed; the sidecar's log has the details"
			}
			status := health.Unhealthy
			if given.Severity == health.SeverityImpaired {
				status = health.Degraded
			}
			o := health.Outcome{Started: at(1), Finished: at(1), Fault: &given}
			r := health.NewResult(service("db"), epoch).Next(o)
			same(t, "reason", r.Reason(), health.ReasonError)
			same(t, "reason of the outcome", r.Last.Fault.Reason, health.ReasonError)
			same(t, "status", r.Status, status)
			same(t, "message", r.Message(), want)
			same(t, "the original is wrapped", errors.Is(r.Fault(), &given) && errors.Is(r.Fault(), cause), true)
			same(t, "the original is logged", strings.Contains(r.Fault().Error(), given.Error()), true)
			same(t, "the original is left alone", given.Reason, reason)
		}
	}
}

// No reason is called as a status is: a reader must be able to tell them apart.
func TestReasonsAreNoStatuses(t *testing.T) {
	t.Parallel()
	for _, s := range health.Statuses() {
		for _, r := range append(health.Reasons(registry.Kinds().Described()...), health.ReasonNoResult, health.ReasonOverride, health.ReasonShutdown) {
			if string(r) == s.String() {
				t.Errorf("%s is a reason and a status", r)
			}
		}
	}
}

func TestMessagesAreFitForPeople(t *testing.T) {
	t.Parallel()
	seen := map[string]health.Reason{}
	for _, r := range append(health.Reasons(registry.Kinds().Described()...), health.ReasonNoResult, health.ReasonOverride, health.ReasonShutdown) {
		text, known := everyReason.Explain(r)
		m := text.Message
		same(t, "known", known, true)
		if m == "" || strings.HasSuffix(m, ".") || m == string(r) || strings.TrimSpace(m) != m {
			t.Errorf("message of %s: %q", r, m)
		}
		if other, taken := seen[m]; taken {
			t.Errorf("%s and %s have the same message", r, other)
		}
		seen[m] = r
	}
	text, known := everyReason.Explain("new")
	same(t, "a reason that is none", known, false)
	same(t, "severity of a reason that is none", text.Severity, health.SeverityDown)
	same(t, "message of a reason that is none", text.Message, "new")
}

func TestStatusNames(t *testing.T) {
	t.Parallel()
	same(t, "names", fmt.Sprint(health.Statuses()), "[unknown healthy degraded unhealthy]")
}

func TestErrorsBecomeFaults(t *testing.T) {
	t.Parallel()
	cause := errors.New("password authentication failed")
	tests := []struct {
		name   string
		err    error
		reason health.Reason
		text   string
	}{
		{"nil", nil, "", ""},
		{"a fault", &health.Fault{Reason: health.ReasonTLS}, "tls", "tls: " + "TLS failed: a handshake, a certificate, or TLS that is not offered"},
		{
			"a wrapped fault", fmt.Errorf("ping: %w", &health.Fault{Reason: health.ReasonAuth, Message: "login", Err: cause}),
			"auth", "auth: login: password authentication failed",
		},
		{
			"a deadline", fmt.Errorf("ping: %w", context.DeadlineExceeded),
			"timeout", "timeout: " + "no answer within the probe's timeout" + ": ping: context deadline exceeded",
		},
		{"anything else", cause, "error", "error: " + "the check failed; the sidecar's log has the details" + ": password authentication failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := &fake{answer: func(context.Context, int) (health.Observation, error) {
					return health.Observation{Values: []health.Value{health.Number("n", 1)}}, tt.err
				}}
				m, _ := watch(t, service("db", checkedBy(db)))
				r := m.View().Results()[0]
				same(t, "reason", r.Reason(), tt.reason)
				same(t, "measures kept", len(r.Last.Observation.Values), 1)
				if tt.err == nil {
					return
				}
				same(t, "text for the log", r.Fault().Error(), tt.text)
				if strings.Contains(r.Message(), "password") {
					t.Errorf("the driver's text is in the message: %s", r.Message())
				}
			})
		})
	}
	same(t, "unwrapped", errors.Is(&health.Fault{Reason: health.ReasonAuth, Err: cause}, cause), true)
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	tests := []struct {
		measure     health.Value
		number      float64
		found       bool
		identifying bool
	}{
		{health.Number("m", 1.5), 1.5, true, false},
		{health.Number("m", uint64(7)), 7, true, false},
		{health.Bytes("m", 1<<40), 1 << 40, true, false},
		{health.Flag("m", true), 1, true, false},
		{health.Flag("m", false), 0, true, false},
		{health.Time("m", time.Date(2027, 1, 3, 12, 0, 0, 900_000_000, time.UTC)), 1_798_977_600, true, false},
		{health.Time("m", time.Date(1969, 12, 31, 23, 59, 0, 0, time.UTC)), -60, true, false},
		{health.Text("m", "PostgreSQL 15.2"), 0, false, true},
		{health.List("m", []string{"a", "b"}), 0, false, true},
	}
	for _, tt := range tests {
		o := health.Observation{Values: []health.Value{health.Number("other", 9), tt.measure}}
		number, found := o.Find("m")
		same(t, "number", number, tt.number)
		same(t, "found", found, tt.found)
		same(t, "identifying", tt.measure.Identifying(), tt.identifying)
	}
	_, found := health.Observation{}.Find("m")
	same(t, "found what is not there", found, false)
}
