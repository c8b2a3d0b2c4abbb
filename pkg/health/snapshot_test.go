package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                    string
		strict, startup, ignore string // histories
		want                    health.Status
	}{
		{"all healthy", "H", "H", "H", health.Healthy},
		{"strict unknown", "", "H", "H", health.Unhealthy},
		{"strict unhealthy", "U", "H", "H", health.Unhealthy},
		{"strict degraded", "D", "H", "H", health.Degraded},
		{"startup unknown", "H", "", "H", health.Unhealthy},
		{"startup unhealthy, though proven", "H", "HUU", "H", health.Unhealthy},
		{"startup degraded", "H", "D", "H", health.Degraded},
		{"ignored unknown", "H", "H", "", health.Degraded},
		{"ignored unhealthy", "H", "H", "U", health.Degraded},
		{"ignored degraded", "H", "H", "D", health.Degraded},
		{"the worst counts", "D", "U", "U", health.Unhealthy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &health.Snapshot{Results: []health.Result{
				final(service("a", policy(health.Ignore, 0)), tt.ignore),
				final(service("b", policy(health.Strict, time.Hour)), tt.strict),
				final(service("c", policy(health.Startup, 0)), tt.startup),
			}, Override: health.OverrideReady}
			same(t, "status", s.Status(), tt.want)
		})
	}
	same(t, "status of no service", (&health.Snapshot{}).Status(), health.Healthy)
}

func TestSnapshotLooksUp(t *testing.T) {
	t.Parallel()
	slow := outcome('H', at(1))
	slow.Started = slow.Finished.Add(-time.Second)
	s := &health.Snapshot{Results: []health.Result{
		final(service("a"), "U"),
		health.NewResult(service("b"), epoch).Next(slow),
		final(service("c"), ""),
	}}
	r, ok := s.Service("b")
	same(t, "found", ok, true)
	same(t, "its status", r.Status, health.Healthy)
	_, ok = s.Service("d")
	same(t, "found what is not there", ok, false)
	same(t, "longest check", s.CheckDuration(), time.Second)
}

func TestAtLeavesTheSnapshotAlone(t *testing.T) {
	t.Parallel()
	s := &health.Snapshot{Results: []health.Result{final(service("a"), "H")}}
	same(t, "later", s.At(at(100)).Results[0].Status, health.Unhealthy)
	same(t, "the original", s.Results[0].Status, health.Healthy)
}

// The contract's sentences on the overall status and on readiness, written as they
// stand there.
func TestVerdictsAgreeWithTheContract(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		read := drawSnapshot(t)
		overall, ready := "healthy", true
		for _, r := range read.s.Results {
			if r.Status != health.Healthy {
				overall = "degraded"
			}
		}
		for _, r := range read.s.Results {
			down := r.Status == health.Unhealthy
			if p := r.Service.Readiness; (p == "strict" || p == "startup") && (down || r.Status == health.Unknown) {
				overall = "unhealthy"
			}
			switch r.Service.Readiness {
			case "strict":
				grace := r.Service.ReadinessGrace
				ready = ready && r.Proven && !(down && (grace == 0 || read.now.Sub(r.Since) > grace))
			case "startup":
				ready = ready && r.Proven
			}
		}
		if o := read.s.Override; o != "" {
			ready = o == "ready"
		}
		ready = ready && !read.s.Draining
		got := read.s.Readiness()
		if read.s.Status().String() != overall || got.Ready != ready {
			t.Fatalf("got %s, ready %v; the contract says %s, %v", read.s.Status(), got.Ready, overall, ready)
		}
		if !got.Ready && len(got.Causes) == 0 {
			t.Fatal("not ready without a cause")
		}
	})
}

func TestUntil(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Second
	tests := []struct {
		name    string
		policy  health.Policy
		grace   time.Duration
		history string // one outcome a second
		now     float64
		want    float64 // seconds; 0 for never
	}{
		{"no result yet", health.Strict, 0, "", 0, 22},
		{"healthy", health.Strict, grace, "HHH", 3, 25},
		{"about to expire", health.Strict, grace, "HHH", 25, 25},
		{"stale", health.Strict, 0, "HHH", 26, 0},
		{"stale, under its grace", health.Strict, grace, "HHH", 26, 30},
		{"stale, its grace over", health.Strict, grace, "HHH", 31, 0},
		{"no grace", health.Strict, 0, "HUU", 3, 25},
		{"grace running", health.Strict, grace, "HUU", 4, 8},
		{"grace to its last moment", health.Strict, grace, "HUU", 8, 8},
		{"grace over", health.Strict, grace, "HUU", 9, 25},
		{"grace longer than the result lasts", health.Strict, time.Hour, "HUU", 4, 25},
		{"no grace before it was proven", health.Strict, grace, "UUU", 3, 25},
		{"no grace at startup", health.Startup, grace, "HUU", 3, 25},
		{"no grace where it is ignored", health.Ignore, grace, "HUU", 3, 25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &health.Snapshot{Results: []health.Result{
				final(service("db", policy(tt.policy, tt.grace)), tt.history),
				final(service("other", timing(time.Hour, time.Second)), "H"),
			}}
			if tt.want == 0 {
				s.Results = s.Results[:1]
				same(t, "until is never", s.At(at(tt.now)).Until().IsZero(), true)
				return
			}
			same(t, "until", s.At(at(tt.now)).Until(), at(tt.want))
		})
	}
}

// Until is exact: up to it every reader may be told the same, and past it something
// is different or has expired.
func TestUntilIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		read := drawSnapshot(t)
		until := read.s.Until()
		if until.IsZero() {
			if later := read.s.At(read.now.Add(1e6 * time.Hour)); view(later) != view(read.s) {
				t.Fatalf("nothing was to change, yet\n%s\nturned into\n%s", view(read.s), view(later))
			}
			return
		}
		span := until.Sub(read.now)
		if span < 0 {
			t.Fatalf("until %s is over at %s", until, read.now)
		}
		moment := read.now.Add(rapid.OneOf(rapid.Just(span), ofDuration(0, span)).Draw(t, "moment"))
		if then := read.s.At(moment); view(then) != view(read.s) {
			t.Fatalf("%s before %s\n%s\nis already\n%s", until.Sub(moment), until, view(read.s), view(then))
		}
		for _, r := range read.s.Results {
			if r.Expires().Equal(until) {
				return
			}
		}
		if past := read.s.At(until.Add(1)); view(past) == view(read.s) {
			t.Fatalf("nothing changed past %s:\n%s", until, view(past))
		}
	})
}

// view is what readers of a snapshot are told.
func view(s *health.Snapshot) string {
	var b strings.Builder
	for _, r := range s.Results {
		fmt.Fprintln(&b, r.Service.Name, r.Status, r.Reason(), r.Message(), r.Since)
	}
	ready := s.Readiness()
	fmt.Fprintln(&b, s.Status(), ready.Ready, ready.Causes)
	return b.String()
}

// reading is a snapshot as it is read at a moment.
type reading struct {
	s   *health.Snapshot
	now time.Time
}

func drawSnapshot(t *rapid.T) reading {
	s := &health.Snapshot{
		Override: rapid.SampledFrom([]health.Override{"", "", "", "ready", "not_ready"}).Draw(t, "override"),
		Draining: rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "draining"),
	}
	latest := epoch
	for i := range rapid.IntRange(0, 4).Draw(t, "services") {
		svc := drawService(t, fmt.Sprint("service", i))
		r, now := health.NewResult(svc, epoch), epoch
		for _, letter := range drawHistory(t) {
			now = now.Add(drawGap(t, svc))
			r = r.Next(outcome(letter, now))
		}
		if now.After(latest) {
			latest = now
		}
		s.Results = append(s.Results, r)
	}
	return read(t, s, latest)
}

// read reads a snapshot at some moment from the latest outcome on, often one at
// which something is about to change.
func read(t *rapid.T, s *health.Snapshot, latest time.Time) reading {
	moments := []time.Time{latest, latest.Add(ofDuration(0, 2*time.Minute).Draw(t, "later"))}
	for _, r := range s.Results {
		for _, m := range []time.Time{r.Expires(), r.Since.Add(r.Service.ReadinessGrace)} {
			if m.After(latest) {
				moments = append(moments, m)
			}
		}
	}
	now := rapid.SampledFrom(moments).Draw(t, "now")
	return reading{s.At(now), now}
}
