package metrics_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/config/prometheus"
	"github.com/reims/reims-health/pkg/dependency/redis"
	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "redis")
	p.check("redis", answer(300*time.Microsecond))
	p.check("redis", answer(20*time.Millisecond))
	p.check("redis", impaired(redis.ReasonOutOfMemory))
	p.check("redis", fail(health.ReasonRefused))
	p.check("redis", fail(health.ReasonRefused))
	p.check("redis", health.Outcome{Starved: true, Fault: &health.Fault{Reason: health.ReasonTimeout}})
	p.draining = true
	p.publish() // no check: nothing to count
	got := p.scrape(t)
	for name, want := range map[string]float64{
		`reims_health_probes_total{reason="",result="success",service="redis"}`:                   2,
		`reims_health_probes_total{reason="out_of_memory",result="success",service="redis"}`:      1,
		`reims_health_probes_total{reason="refused",result="failure",service="redis"}`:            2,
		`reims_health_probes_total{reason="starved",result="discarded",service="redis"}`:          1,
		`reims_health_transitions_total{service="redis",to="healthy"}`:                            1,
		`reims_health_transitions_total{service="redis",to="degraded"}`:                           1,
		`reims_health_transitions_total{service="redis",to="unhealthy"}`:                          1,
		`reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.001"}`: 2,
		`reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.01"}`:  2,
		`reims_health_probe_duration_seconds_bucket{result="success",service="redis",le="0.1"}`:   3,
		`reims_health_probe_duration_seconds_count{result="success",service="redis"}`:             3,
		`reims_health_probe_duration_seconds_bucket{result="failure",service="redis",le="+Inf"}`:  2,
		`reims_health_probe_duration_seconds_sum{result="failure",service="redis"}`:               2,
	} {
		if v, ok := got[name]; v != want {
			t.Errorf("%s is %v (shown: %v), want %v", name, v, ok, want)
		}
	}
}

// Whether a result goes stale is seen when the next view happens to be made, so
// neither that nor its end is a change of the verdict; what differs after it is.
func TestStaleIsNoTransition(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "redis", "minio")
	p.check("redis", answer(time.Millisecond))
	for _, next := range []health.Outcome{answer(time.Millisecond), fail(health.ReasonRefused)} {
		p.now = p.now.Add(time.Minute)
		p.results = health.NewView(p.now, p.results, p.override, p.draining).Results()
		p.publish()
		p.check("redis", next)
	}
	got := p.scrape(t)
	for to, want := range map[string]float64{"healthy": 1, "unhealthy": 1} {
		if n := got[`reims_health_transitions_total{service="redis",to="`+to+`"}`]; n != want {
			t.Errorf("%v changes to %s, want %v", n, to, want)
		}
	}
}

// Common failures have series of their own from the start, at 0. Of the others the first
// four have; the later ones are added up, by result, and those that came first keep theirs.
func TestFold(t *testing.T) {
	t.Parallel()
	p := newPod(time.Now(), "minio", "redis")
	p.publish()
	begun := p.scrape(t)
	for _, reason := range []health.Reason{health.ReasonRefused, health.ReasonTimeout, health.ReasonDNS, health.ReasonTLS, health.ReasonReset, health.ReasonAuth, health.ReasonForbidden, health.ReasonTooManyConnections} {
		if v, there := begun[`reims_health_probes_total{reason="`+string(reason)+`",result="failure",service="minio"}`]; !there || v != 0 {
			t.Errorf("failures for %s begin at %v, there: %t; want 0", reason, v, there)
		}
	}
	for _, r := range []health.Reason{
		health.ReasonRefused, health.ReasonRefused, health.ReasonReset,
		health.ReasonStartingUp, health.ReasonReadOnly, health.ReasonProtocol, health.ReasonUnreachable, health.ReasonError, health.ReasonDatabaseMissing, health.ReasonStartingUp,
	} {
		p.check("minio", fail(r))
	}
	p.check("minio", impaired(health.ReasonSlow))
	p.check("minio", answer(time.Millisecond))
	p.check("redis", fail(health.ReasonError)) // has room of its own
	got := map[string]float64{}
	for name, v := range p.scrape(t) {
		if rest, ok := strings.CutPrefix(name, "reims_health_probes_total"); ok && v > 0 {
			got[rest] = v
		}
	}
	want := map[string]float64{
		`{reason="refused",result="failure",service="minio"}`:     2,
		`{reason="reset",result="failure",service="minio"}`:       1,
		`{reason="starting_up",result="failure",service="minio"}`: 2,
		`{reason="read_only",result="failure",service="minio"}`:   1,
		`{reason="protocol",result="failure",service="minio"}`:    1,
		`{reason="unreachable",result="failure",service="minio"}`: 1,
		`{reason="other",result="failure",service="minio"}`:       2,
		`{reason="other",result="success",service="minio"}`:       1,
		`{reason="",result="success",service="minio"}`:            1,
		`{reason="error",result="failure",service="redis"}`:       1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An alert that counts the failures of a reason by increase() would miss the first one of a
// series that begins at 1: each reason that a rule counts so is there from the start.
func TestAlertsCountFromZero(t *testing.T) {
	t.Parallel()
	files, err := prometheus.Files()
	if err != nil {
		t.Fatal(err)
	}
	p := newPod(time.Now(), "redis")
	p.publish()
	begun := p.scrape(t)
	counted := regexp.MustCompile(`\b(?:increase|i?rate|delta|changes|resets)\(reims_health_probes_total\{([^}]*)\}`)
	reasons := regexp.MustCompile(`\breason=~?"([^"]*)"`)
	seen := 0
	for _, file := range files {
		for _, group := range file.Groups {
			for _, rule := range group.Rules {
				for _, found := range counted.FindAllStringSubmatch(rule.Expr, -1) {
					named := reasons.FindStringSubmatch(found[1])
					if named == nil {
						continue
					}
					for reason := range strings.SplitSeq(named[1], "|") {
						seen++
						result := "failure"
						if reason == "starved" {
							result = "discarded"
						}
						series := fmt.Sprintf("reims_health_probes_total{reason=%q,result=%q,service=\"redis\"}", reason, result)
						if v, there := begun[series]; !there || v != 0 {
							t.Errorf("%s counts %s, which is %v at first (shown: %t), want 0", file.Name, series, v, there)
						}
					}
				}
			}
		}
	}
	if seen < 4 {
		t.Errorf("the rules count %d reasons, want auth, forbidden, too_many_connections and starved at least", seen)
	}
}

// Over any history: no counter ever falls or vanishes, the counters agree with each
// other and with what was done, and the two latencies with each other.
func TestCountersOverRandomHistories(t *testing.T) {
	t.Parallel()
	outcome := rapid.Custom(func(t *rapid.T) health.Outcome {
		latency := time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "latency"))
		o := answer(latency)
		if latency == 0 || rapid.Bool().Draw(t, "faulty") {
			o.Fault = &health.Fault{Reason: rapid.SampledFrom(health.Reasons(registry.Kinds().Described()...)).Draw(t, "reason")}
			o.Starved = rapid.IntRange(0, 9).Draw(t, "starved") == 0
		}
		return o
	})
	rapid.Check(t, func(rt *rapid.T) {
		p := newPod(time.Now(), services...)
		done := map[string]float64{}
		last := p.scrape(t)
		for range rapid.IntRange(1, 60).Draw(rt, "checks") {
			service, o := rapid.SampledFrom(services).Draw(rt, "service"), outcome.Draw(rt, "outcome")
			before := p.view.Load()
			p.check(service, o)
			done[service+" "+result(o)]++
			was, _ := before.Service(service)
			if is, _ := p.view.Load().Service(service); is.Status != was.Status {
				done[service+" to "+is.Status.String()]++
			}
			if rapid.IntRange(0, 9).Draw(rt, "scrape") == 0 {
				last = monotone(rt, last, p.scrape(t))
			}
		}
		last = monotone(rt, last, p.scrape(t))
		for _, service := range services {
			agree(rt, last, done, service)
		}
	})
}

func result(o health.Outcome) string {
	switch {
	case o.Starved:
		return "discarded"
	case o.Answered():
		return "success"
	default:
		return "failure"
	}
}

// monotone returns now.
func monotone(t *rapid.T, last, now map[string]float64) map[string]float64 {
	for name, was := range last {
		family, _, _ := strings.Cut(name, "{")
		counter := strings.HasSuffix(family, "_total") || strings.Contains(family, "probe_duration_seconds")
		if is, ok := now[name]; counter && (!ok || is < was) {
			t.Fatalf("%s: %v (shown: %v) after %v", name, is, ok, was)
		}
	}
	return now
}

func agree(t *rapid.T, now, done map[string]float64, service string) {
	for _, result := range []string{"success", "failure", "discarded"} {
		want, probes := done[service+" "+result], 0.0
		for name, v := range now {
			if strings.HasPrefix(name, "reims_health_probes_total{") &&
				strings.HasSuffix(name, fmt.Sprintf(",result=%q,service=%q}", result, service)) {
				probes += v
			}
		}
		if probes != want {
			t.Fatalf("%s: probes_total has %v of %s, want %v", service, probes, result, want)
		}
		count := fmt.Sprintf("reims_health_probe_duration_seconds_count{result=%q,service=%q}", result, service)
		if result != "discarded" && now[count] != want {
			t.Fatalf("%s is %v, want %v", count, now[count], want)
		}
	}
	for _, to := range []string{"healthy", "degraded", "unhealthy"} {
		name := fmt.Sprintf("reims_health_transitions_total{service=%q,to=%q}", service, to)
		if want := done[service+" to "+to]; now[name] != want {
			t.Fatalf("%s is %v, want %v", name, now[name], want)
		}
	}
}
