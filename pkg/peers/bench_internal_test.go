package peers

import (
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// A decision with 1,000 kept answers is to take less than 20 µs.
func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	mine := broken(epoch, epoch.Add(2*time.Second))
	l := ledgerOf(mine, epoch.Add(time.Second), strings.Repeat("FSS-O", 200))
	now := epoch.Add(3 * time.Second)
	for b.Loop() {
		if d := Decide(mine, l, Fleet{Peers: 1000}, now); d.Scope != health.ScopeLocal {
			b.Fatal(d)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	b.ReportAllocs()
	now := time.Now()
	v := health.NewView(now, []health.Result{broken(now, now), broken(now, now)}, health.NoOverride, false)
	var buffer []byte
	for b.Loop() {
		buffer = appendAnswer(buffer[:0], "instance", v, now)
	}
	if _, err := decode(buffer); err != nil {
		b.Fatal(err)
	}
}
