package health_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

func four() []*health.Service {
	return []*health.Service{
		service("database"), service("redis"),
		service("minio", policy(health.PolicyIgnore, 0)), service("ollama", policy(health.PolicyIgnore, 0)),
	}
}

func BenchmarkNext(b *testing.B) {
	b.ReportAllocs()
	r, outcomes := final(service("database"), "H"), []health.Outcome{outcome('H', at(2)), outcome('U', at(3))}
	for i := 0; b.Loop(); i++ {
		r = r.Next(outcomes[i%2])
	}
	if r.Checks < 2 {
		b.Fatal("nothing was counted")
	}
}

func BenchmarkAt(b *testing.B) {
	var results []health.Result
	for _, svc := range four() {
		results = append(results, final(svc, "HU"))
	}
	v := health.NewView(at(2), results, health.NoOverride, false)
	for _, bm := range []struct {
		name string
		now  time.Time
		want health.Status
	}{{"fresh", at(3), health.Healthy}, {"stale", at(1000), health.Unhealthy}} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			var read *health.View
			for b.Loop() {
				read = v.At(bm.now)
			}
			if read.Status() != bm.want {
				b.Fatal(read.Status())
			}
		})
	}
}

func BenchmarkReadiness(b *testing.B) {
	b.ReportAllocs()
	var results []health.Result
	for _, svc := range four() {
		results = append(results, final(svc, "H"))
	}
	v := health.NewView(at(1), results, health.NoOverride, false)
	for b.Loop() {
		if !v.Readiness().Ready {
			b.Fatal("not ready")
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	b.ReportAllocs()
	m, published := newMonitor(b, four()...), 0
	m.Subscribe(func(*health.View) { published++ })
	for b.Loop() {
		m.Override(health.OverrideReady)
	}
	if published < 2 {
		b.Fatal("nothing was published")
	}
}
