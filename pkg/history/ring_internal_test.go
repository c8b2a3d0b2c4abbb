package history

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// TestOvertaken has a reader stop between its first look and its last, while one
// sample is added and the next is half written over the oldest that is left.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	r := newRing(nil)
	add := func(n int) { r.add(health.Sample{Time: time.UnixMilli(int64(n)), Status: health.Healthy}) }
	const many = Capacity + 100
	for n := range many {
		add(n)
	}
	begin, end := uint64(many-Capacity), uint64(many)
	add(many)
	r.slots[(many+1)%slots].time.Store(-1) // and no more yet
	samples := r.read(begin, end)
	if n := len(samples); n != Capacity-1 {
		t.Errorf("%d samples", n)
	}
	for i, s := range samples {
		if want := int64(begin) + 1 + int64(i); s.Time.UnixMilli() != want {
			t.Fatalf("sample %d is of %d, want %d", i, s.Time.UnixMilli(), want)
		}
	}
}
