package cli

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/reims/reims-health/pkg/dependency/postgres"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// A Pod that would not become ready fails, whatever its probes came to.
func TestDescribeTellsReadiness(t *testing.T) {
	t.Parallel()
	began := time.Now()
	behind, refused := &health.Fault{Reason: postgres.ReasonSchemaBehind}, &health.Fault{Reason: health.ReasonRefused}
	for name, c := range map[string]struct {
		policy health.Policy
		faults []*health.Fault // one per probe
		ready  string
		good   bool
	}{
		"strict, healthy":                     {health.PolicyStrict, []*health.Fault{nil}, "ready", true},
		"strict, usable":                      {health.PolicyStrict, []*health.Fault{{Reason: health.ReasonSlow}}, "ready", true},
		"strict, unproven":                    {health.PolicyStrict, []*health.Fault{behind}, "not_ready", false},
		"strict, unproven twice":              {health.PolicyStrict, []*health.Fault{behind, behind}, "not_ready", false},
		"strict, proven by an earlier probe":  {health.PolicyStrict, []*health.Fault{nil, behind}, "ready", true},
		"strict, down after it was proven":    {health.PolicyStrict, []*health.Fault{nil, refused}, "not_ready", false},
		"startup, unproven":                   {health.PolicyStartup, []*health.Fault{behind}, "not_ready", false},
		"startup, suspect":                    {health.PolicyStartup, []*health.Fault{{Reason: health.ReasonAuth}}, "not_ready", false},
		"startup, down after it was proven":   {health.PolicyStartup, []*health.Fault{nil, refused}, "ready", false},
		"ignore, unproven":                    {health.PolicyIgnore, []*health.Fault{behind}, "ready", true},
		"ignore, down: a failed probe counts": {health.PolicyIgnore, []*health.Fault{refused}, "ready", false},
	} {
		svc := &health.Service{
			Name: "database", Kind: registry.Kinds().Called("postgres"), Timeout: time.Second, Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 1,
			Readiness: c.policy, ReadinessGrace: time.Hour,
		}
		var all probed
		for _, f := range c.faults {
			all = append(all, health.NewResult(svc, began).Next(health.Outcome{Started: began, Finished: began.Add(time.Millisecond), Fault: f}))
		}
		o, d, err := describe(t.Context(), []probed{all}, registry.Kinds())
		if err == nil {
			o.Probed(d)
		}
		if err != nil || o.Success != d.Success || o.Ready != d.Ready || !o.Direct || d.Ready != c.ready || d.Success != c.good || (c.ready == "ready") != (len(d.NotReady) == 0) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// Every probe counts, whatever the last one came to.
func TestDescribeCountsEveryProbe(t *testing.T) {
	t.Parallel()
	began := time.Now()
	svc := &health.Service{Name: "redis", Timeout: time.Second, Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 1}
	probe := func(fault *health.Fault) health.Result {
		return health.NewResult(svc, began).Next(health.Outcome{Started: began, Finished: began.Add(time.Millisecond), Fault: fault})
	}
	refused, slow := &health.Fault{Reason: health.ReasonRefused}, &health.Fault{Reason: health.ReasonSlow}
	all := probed{probe(refused), probe(nil), probe(refused), probe(&health.Fault{Reason: health.ReasonTimeout}), probe(slow), probe(nil)}
	_, d, err := describe(t.Context(), []probed{all}, registry.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	s := d.Services[0]
	want := []string{
		"2 of 6 probes: refused: " + all[0].Message(),
		"1 of 6 probes: timeout: " + all[3].Message(),
	}
	if diff := cmp.Diff(want, s.Problems); diff != "" {
		t.Error(diff)
	}
	if d.Success || s.Failed != 3 || s.Status != "healthy" {
		t.Errorf("success %t: %+v", d.Success, s)
	}
	if worst := all.worst(); worst.Reason() != health.ReasonTimeout {
		t.Errorf("what is told of the driver is that of %s", worst.Reason())
	}
	if _, d, err = describe(t.Context(), []probed{{probe(refused)}}, registry.Kinds()); err != nil || d.Success || d.Services[0].Failed != 1 || d.Services[0].Problems != nil {
		t.Errorf("%v, %+v", err, d)
	}
}
