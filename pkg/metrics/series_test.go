package metrics_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/metrics"
)

// worst drives four services through everything that makes a series.
func worst(tb testing.TB) *pod {
	tb.Helper()
	p := newPod(time.Now(), services...)
	p.asksPeers()
	p.override = health.OverrideReady
	p.publish()
	for _, service := range services {
		p.check(service, health.Outcome{Starved: true, Fault: &health.Fault{Reason: health.ReasonTimeout}})
		for _, reason := range append(health.Reasons(registry.Kinds().Described()...), "never_heard_of") {
			p.check(service, fail(reason))
			p.check(service, impaired(reason))
			p.check(service, answer(time.Millisecond))
		}
	}
	certificate := health.Time("certificate_not_after", time.Now())
	p.check("database", answer(time.Millisecond, append(databaseMeasures(), certificate)...))
	p.check("redis", answer(time.Millisecond, append(redisMeasures(), certificate)...))
	p.check("minio", answer(time.Millisecond, certificate))
	p.check("ollama", answer(time.Millisecond, certificate))
	p.WatchPeers(func() (known, asked, answered int) { return 12, 12, 11 })
	p.WatchLog(func() uint64 { return 1 })
	p.WatchPodReports().Impossible()
	return p
}

// The contract allows 56 series for each service and 45 for the sidecar itself. The
// reference promises fewer, family by family, and here each of its promises is kept and
// needed.
func TestSeries(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	all := worst(t).scrape(t)
	for sample := range all {
		name, _, _ := strings.Cut(sample, "{")
		got[regexp.MustCompile(`_seconds_(bucket|sum|count)$`).ReplaceAllString(name, "_seconds")]++
	}
	if most := 56*len(services) + 45; len(all) > most {
		t.Errorf("%d series, the contract allows %d", len(all), most)
	}
	if own := len(all) - ofServices(all); own > 45 {
		t.Errorf("%d series of the sidecar itself, the contract allows 45", own)
	}
	documented, sum := reference(t), 0
	for name, series := range documented {
		sum += series
		if got[name] != series {
			t.Errorf("%s: %d series, the reference says %d", name, got[name], series)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("not in the reference: %v", got)
	}
	if sum != len(all) {
		t.Errorf("the reference adds up to %d, the exposition has %d", sum, len(all))
	}
	t.Logf("%d series", len(all))
}

// Sixteen services of all kinds, in every state that makes a series, are within the bounds
// too: each of them, the sidecar itself, and the length of what Prometheus reads.
func TestSixteenServices(t *testing.T) {
	t.Parallel()
	kinds := registry.Kinds().Described()
	names, kindOf := make([]string, 16), make(map[string]*health.Kind)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%02d", strings.Repeat("n", 29), i)
		kindOf[names[i]] = kinds[i%len(kinds)]
	}
	p := newPodOf(time.Now(), func(name string) *health.Kind { return kindOf[name] }, names...)
	p.asksPeers()
	p.override = health.OverrideReady
	for _, name := range names {
		p.check(name, health.Outcome{Starved: true, Fault: &health.Fault{Reason: health.ReasonTimeout}})
		for _, reason := range append(health.Reasons(kinds...), "never_heard_of") {
			p.check(name, fail(reason))
			p.check(name, impaired(reason))
		}
	}
	for _, name := range names { // at last, so that none is stale
		var values []health.Value
		for _, m := range kindOf[name].Measures {
			if !m.Unit.Identifying() {
				values = append(values, health.Value{Name: m.Name, Unit: m.Unit, Number: 1e15})
			}
		}
		p.check(name, answer(time.Millisecond, values...))
	}
	p.WatchPeers(func() (known, asked, answered int) { return 1000, 6, 6 })
	p.WatchLog(func() uint64 { return 1 })
	p.WatchPodReports().Impossible()
	of, own, bytes := make(map[string]int), 0, 0
	for sample := range p.scrape(t) {
		bytes += len(sample)
		if found := regexp.MustCompile(`service="([^"]*)"`).FindStringSubmatch(sample); found != nil {
			of[found[1]]++
		} else {
			own++
		}
	}
	for _, name := range names {
		if n := of[name]; n > 56 || n < 36 {
			t.Errorf("%s (%s) has %d series, want 36 to 56", name, kindOf[name].Name, n)
		}
	}
	if len(of) != 16 || own > 45 {
		t.Errorf("%d services, and %d series of the sidecar itself: want 16, and 45 at most", len(of), own)
	}
	if bytes > 128<<10 {
		t.Errorf("the samples have %d bytes", bytes)
	}
	t.Logf("%d bytes of %d series: of services %v", bytes, own, of)
}

// ofServices counts the series of services: by label, or measures of one.
func ofServices(all map[string]float64) int {
	n := 0
	for sample := range all {
		if regexp.MustCompile(`service="|^(reims_health_(schema|db|redis|app)|db|redis|minio|ollama)_`).MatchString(sample) {
			n++
		}
	}
	return n
}

// reference reads the names and numbers of series out of docs/metrics.md's tables.
func reference(t *testing.T) map[string]int {
	t.Helper()
	var doc strings.Builder
	if err := metrics.WriteReference(&doc, registry.Kinds().Described()); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|.*\\| (\\d+) \\|$").FindAllStringSubmatch(doc.String(), -1) {
		found[m[1]], _ = strconv.Atoi(m[2])
	}
	if len(found) == 0 {
		t.Fatal("no table in the reference")
	}
	return found
}

func TestFifthService(t *testing.T) {
	t.Parallel()
	four := len(worst(t).scrape(t))
	p := newPod(time.Now(), "qdrant")
	p.asksPeers()
	base := len(newPod(time.Now()).scrape(t))
	for _, reason := range health.Reasons(registry.Kinds().Described()...) {
		p.check("qdrant", fail(reason))
		p.check("qdrant", impaired(reason))
		p.check("qdrant", answer(time.Millisecond))
	}
	if added := len(p.scrape(t)) - base; added != 44 {
		t.Errorf("a fifth service adds %d series to the %d, the reference says 44", added, four)
	}
}

// Names follow Prometheus' rules, but for those that Grafana panels already use.
func TestLint(t *testing.T) {
	t.Parallel()
	legacy := map[string]bool{
		"db_latency_ms": true, "redis_latency_ms": true, "minio_latency_ms": true, "ollama_latency_ms": true,
	}
	problems, err := testutil.GatherAndLint(worst(t).Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !legacy[p.Metric] {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		delete(legacy, p.Metric)
	}
	if len(legacy) > 0 {
		t.Errorf("excepted for nothing: %v", legacy)
	}
}
