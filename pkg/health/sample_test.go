package health_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

func TestQuantiles(t *testing.T) {
	t.Parallel()
	hundred := make([]health.Sample, 0, 110)
	for i := range 100 {
		hundred = append(hundred, health.Sample{Latency: time.Duration(100 - i)}) // the slowest first
	}
	for range 10 {
		hundred = append(hundred, health.Sample{Reason: health.ReasonRefused}) // no answer
	}
	for name, test := range map[string]struct {
		samples []health.Sample
		want    []time.Duration // the least, p50, p99, the greatest
	}{
		"none":    {nil, nil},
		"failed":  {hundred[100:], nil},
		"one":     {hundred[:1], []time.Duration{100, 100, 100, 100}},
		"two":     {hundred[:2], []time.Duration{99, 99, 100, 100}},
		"hundred": {hundred, []time.Duration{1, 50, 99, 100}},
	} {
		if diff := cmp.Diff(test.want, health.Quantiles(test.samples, 0, 0.5, 0.99, 1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
