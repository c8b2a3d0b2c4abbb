package check_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/check"
)

func TestDistribute(t *testing.T) {
	t.Parallel()
	got := check.Distribute([]float64{3, 0.4, 0.3, 0.2, 0.5})
	want := &check.Distribution{
		Count: 5, Min: 0.2, P50: 0.4, P95: 3, P99: 3, Max: 3,
		Buckets: []check.Bucket{{0.1, 0.2, 1}, {0.2, 0.5, 3}, {0.5, 1, 0}, {1, 2, 0}, {2, 5, 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if check.Distribute(nil) != nil {
		t.Error("of nothing there is no distribution")
	}
}

func TestDistributeHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Float64Range(0, 1e7), 1, 300).Draw(t, "times")
		d := check.Distribute(times)
		if d.Min > d.P50 || d.P50 > d.P95 || d.P95 > d.P99 || d.P99 > d.Max {
			t.Fatalf("out of order: %+v", d)
		}
		counted := 0
		for i, b := range d.Buckets {
			within := 0
			for _, v := range times {
				if v > b.From && v <= b.To || v == 0 && b.From == 0 {
					within++
				}
			}
			if within != b.Count || i > 0 && b.From != d.Buckets[i-1].To {
				t.Fatalf("bucket %+v has %d of %v", b, within, times)
			}
			counted += b.Count
		}
		if counted != len(times) || d.Buckets[0].Count == 0 || d.Buckets[len(d.Buckets)-1].Count == 0 {
			t.Fatalf("%d counted: %+v", counted, d)
		}
		atOrBelow := 0
		for _, v := range times {
			if v <= d.P95 {
				atOrBelow++
			}
		}
		if float64(atOrBelow) < 0.95*float64(len(times)) {
			t.Fatalf("%d of %d at or below p95", atOrBelow, len(times))
		}
	})
}
