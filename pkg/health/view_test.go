package health_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
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
			v := health.NewView(at(3), []health.Result{
				final(service("a", policy(health.PolicyIgnore, 0)), tt.ignore),
				final(service("b", policy(health.PolicyStrict, time.Hour)), tt.strict),
				final(service("c", policy(health.PolicyStartup, 0)), tt.startup),
			}, health.OverrideReady, false)
			same(t, "status", v.Status(), tt.want)
		})
	}
	same(t, "status of no service", reading(epoch).Status(), health.Healthy)
}

func TestViewLooksUp(t *testing.T) {
	t.Parallel()
	slow := outcome('H', at(1))
	slow.Started = slow.Finished.Add(-time.Second)
	v := reading(at(1),
		final(service("a"), "U"),
		health.NewResult(service("b"), epoch).Next(slow),
		final(service("c"), ""))
	r, ok := v.Service("b")
	same(t, "found", ok, true)
	same(t, "its status", r.Status, health.Healthy)
	_, ok = v.Service("d")
	same(t, "found what is not there", ok, false)
	same(t, "longest check", v.CheckDuration(), time.Second)
}

func TestAtLeavesTheViewAlone(t *testing.T) {
	t.Parallel()
	v := reading(at(1), final(service("a"), "H"))
	same(t, "later", v.At(at(100)).Results()[0].Status, health.Unhealthy)
	same(t, "the original", v.Results()[0].Status, health.Healthy)
}

// The contract's sentences on the overall status and on readiness, written as they
// stand there.
func TestVerdictsAgreeWithTheContract(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		read := drawView(t)
		overall, ready := "healthy", true
		for _, r := range read.Results() {
			if r.Status != health.Healthy {
				overall = "degraded"
			}
		}
		for _, r := range read.Results() {
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
		if o := read.Override(); o != "" {
			ready = o == "ready"
		}
		ready = ready && !read.Draining()
		got := read.Readiness()
		if read.Status().String() != overall || got.Ready != ready {
			t.Fatalf("got %s, ready %v; the contract says %s, %v", read.Status(), got.Ready, overall, ready)
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
		{"no result yet", health.PolicyStrict, 0, "", 0, 22},
		{"healthy", health.PolicyStrict, grace, "HHH", 3, 25},
		{"about to expire", health.PolicyStrict, grace, "HHH", 25, 25},
		{"stale", health.PolicyStrict, 0, "HHH", 26, 0},
		{"stale, under its grace", health.PolicyStrict, grace, "HHH", 26, 30},
		{"stale, its grace over", health.PolicyStrict, grace, "HHH", 31, 0},
		{"no grace", health.PolicyStrict, 0, "HUU", 3, 25},
		{"grace running", health.PolicyStrict, grace, "HUU", 4, 8},
		{"grace to its last moment", health.PolicyStrict, grace, "HUU", 8, 8},
		{"grace over", health.PolicyStrict, grace, "HUU", 9, 25},
		{"grace longer than the result lasts", health.PolicyStrict, time.Hour, "HUU", 4, 25},
		{"no grace before it was proven", health.PolicyStrict, grace, "UUU", 3, 25},
		{"no grace at startup", health.PolicyStartup, grace, "HUU", 3, 25},
		{"no grace where it is ignored", health.PolicyIgnore, grace, "HUU", 3, 25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := final(service("db", policy(tt.policy, tt.grace)), tt.history)
			if tt.want == 0 {
				same(t, "until is never", reading(at(tt.now), db).Until().IsZero(), true)
				return
			}
			other := final(service("other", timing(time.Hour, time.Second)), "H")
			same(t, "until", reading(at(tt.now), db, other).Until(), at(tt.want))
		})
	}
}

// Until is exact: up to it every reader may be told the same, and past it something
// is different or has expired.
func TestUntilIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		read := drawView(t)
		until := read.Until()
		if until.IsZero() {
			if later := again(read.View, read.now.Add(1e6*time.Hour)); told(later) != told(read.View) {
				t.Fatalf("nothing was to change, yet\n%s\nturned into\n%s", told(read.View), told(later))
			}
			return
		}
		span := until.Sub(read.now)
		if span < 0 {
			t.Fatalf("until %s is over at %s", until, read.now)
		}
		moment := read.now.Add(rapid.OneOf(rapid.Just(span), ofDuration(0, span)).Draw(t, "moment"))
		if then := again(read.View, moment); told(then) != told(read.View) {
			t.Fatalf("%s before %s\n%s\nis already\n%s", until.Sub(moment), until, told(read.View), told(then))
		}
		if read.At(moment) != read.View {
			t.Fatalf("%s before %s another view is made", until.Sub(moment), until)
		}
		for _, r := range read.Results() {
			if r.Expires().Equal(until) {
				return
			}
		}
		if past := read.At(until.Add(1)); told(past) == told(read.View) {
			t.Fatalf("nothing changed past %s:\n%s", until, told(past))
		}
	})
}

// again is what a view holds, read anew at a moment.
func again(v *health.View, now time.Time) *health.View {
	return health.NewView(now, v.Results(), v.Override(), v.Draining())
}

// told is what readers of a view are told.
func told(v *health.View) string {
	var b strings.Builder
	for _, r := range v.Results() {
		fmt.Fprintln(&b, r.Service.Name, r.Status, r.Reason(), r.Message(), r.Since)
	}
	ready := v.Readiness()
	fmt.Fprintln(&b, v.Status(), ready.Ready, ready.Causes)
	return b.String()
}

// taken is a view and the moment at which it was taken.
type taken struct {
	*health.View
	now time.Time
}

func drawView(t *rapid.T) taken {
	override := rapid.SampledFrom([]health.Override{"", "", "", "ready", "not_ready"}).Draw(t, "override")
	draining := rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "draining")
	var results []health.Result
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
		results = append(results, r)
	}
	now := drawMoment(t, results, latest)
	return taken{health.NewView(now, results, override, draining), now}
}

// drawMoment is some moment from the latest outcome on, often one at which something is
// about to change.
func drawMoment(t *rapid.T, results []health.Result, latest time.Time) time.Time {
	moments := []time.Time{latest, latest.Add(ofDuration(0, 2*time.Minute).Draw(t, "later"))}
	for _, r := range results {
		for _, m := range []time.Time{r.Expires(), r.Since.Add(r.Service.ReadinessGrace)} {
			if m.After(latest) {
				moments = append(moments, m)
			}
		}
	}
	return rapid.SampledFrom(moments).Draw(t, "now")
}

// Nothing that a monitor gives out shows a verdict past its time, whoever asks.
func TestMonitorViewIsAged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, stop := watch(t, service("db", checkedBy(&fake{}), policy(health.PolicyStrict, 0)))
		_ = stop()
		published := m.View()
		pass(22 * time.Second) // twice the interval and the timeout: its last moment
		same(t, "at the last moment", m.View(), published)
		pass(1)
		same(t, "past it", verdict(m, "db"), "unhealthy stale")
		same(t, "past it", causes(m.View().Readiness()), "not_ready db=stale")
		same(t, "what was taken before", published.Status(), health.Healthy)
		same(t, "who subscribes then", record(m).all()[0].Status(), health.Unhealthy)
		same(t, "who waits for updates then", (<-m.Updates()).Status(), health.Unhealthy)
	})
}

func TestMonitorViewAllocatesNothing(t *testing.T) { // testing.AllocsPerRun forbids parallel
	m := newMonitor(t, four()...)
	if n := testing.AllocsPerRun(100, func() { m.View() }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// Each view goes to one observer after the other, in the order of the call.
func TestObserversAreToldInOrder(t *testing.T) {
	t.Parallel()
	m := newMonitor(t)
	var told []string
	observer := func(name string) func(*health.View) {
		return func(v *health.View) { told = append(told, name+" "+string(v.Override())) }
	}
	m.Subscribe(observer("a"), observer("b"), observer("c"))
	m.Override(health.OverrideReady)
	m.Subscribe(observer("d"))
	m.Override(health.OverrideNotReady)
	want := []string{"a ", "b ", "c ", "a ready", "b ready", "c ready", "d ready", "a not_ready", "b not_ready", "c not_ready", "d not_ready"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// Names of services have no spaces and no capitals; what people read has.
func TestTitle(t *testing.T) {
	t.Parallel()
	kind := &health.Kind{Title: "MinIO", Service: "minio"}
	for name, want := range map[string]string{
		"minio": "MinIO", "billing": "Billing", "billing-api": "Billing API", "eu-crm-db": "Eu CRM DB", "s3": "S3", "apiary": "Apiary",
	} {
		if got := (&health.Service{Name: name, Kind: kind}).Title(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
