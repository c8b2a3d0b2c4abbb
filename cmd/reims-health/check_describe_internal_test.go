package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// Every probe counts, whatever the last one came to.
func TestDescribeCountsEveryProbe(t *testing.T) {
	t.Parallel()
	began := time.Now()
	svc := &health.Service{Name: "redis", Timeout: time.Second, Interval: time.Second, FailureThreshold: 1, SuccessThreshold: 1}
	probe := func(fault *health.Fault) health.Result {
		return health.NewResult(svc, began).Next(health.Outcome{Started: began, Finished: began.Add(time.Millisecond), Fault: fault})
	}
	refused, slow := &health.Fault{Reason: health.Refused}, &health.Fault{Reason: health.Slow}
	all := probed{probe(refused), probe(nil), probe(refused), probe(&health.Fault{Reason: health.Timeout}), probe(slow), probe(nil)}
	d, err := describe(t.Context(), []probed{all})
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
	if worst := all.worst(); worst.Reason() != health.Timeout {
		t.Errorf("what is told of the driver is that of %s", worst.Reason())
	}
	if d, err = describe(t.Context(), []probed{{probe(refused)}}); err != nil || d.Success || d.Services[0].Failed != 1 || d.Services[0].Problems != nil {
		t.Errorf("%v, %+v", err, d)
	}
}
