//go:build observe

package faults_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

var trials = flag.Int("trials", 50, "how many trials of each sort of outage, all at once")

// outage is one sort of outage of a PostgreSQL, of which all sidecars have one trial each.
type outage struct {
	name         string
	direct       bool // the sidecars connect to the server itself
	breaks, ends func(context.Context) error
}

// trial is how long it took one sidecar, from the moment of the fault or of its end.
type trial struct {
	first, verdict, answer, back time.Duration
	// starved is set where the sidecar got no CPU for so long that it threw a result away.
	starved bool
}

// TestDetection measures how long outages take to be seen at the default settings, as a
// distribution: make detection.
func TestDetection(t *testing.T) { //nolint:paralleltest // it measures time
	count := *trials
	pg := servers.RunPostgres(t, servers.PostgresOptions{Settings: map[string]string{"max_connections": "300"}})
	standby := servers.RunStandby(t, pg)
	wire, err := relay.Start(pg.Addr())
	must(t, err)
	t.Cleanup(wire.Close)
	fault := func(f relay.Fault) (breaks, ends func(context.Context) error) {
		return func(context.Context) error { return wire.Break(f) }, func(context.Context) error { return wire.Mend() }
	}
	plain := func(do func()) func(context.Context) error {
		return func(context.Context) error { do(); return nil }
	}
	refuse, accept := fault(relay.Fault{Refuse: true})
	drop, pass := fault(relay.Fault{Drop: true})
	outages := []outage{
		{"killed", true, func(context.Context) error { return pg.Kill() }, pg.Start},
		{"frozen", true, func(context.Context) error { return pg.Freeze() }, func(context.Context) error { return pg.Thaw() }},
		{"black hole", false, drop, pass},
		{"refused", false, refuse, accept},
		{"slow", false, plain(func() { wire.Delay.Store(int64(4 * time.Second)) }), plain(func() { wire.Delay.Store(0) })},
		{"failed over", false, plain(func() { wire.To(standby.Addr()) }), standby.Promote},
	}
	p := normal()
	fmt.Fprintf(os.Stdout, "\n%d trials of each, seconds. The formula: a verdict within %.1f, back within %.1f\n", count, p.detection().Seconds(), p.recovery().Seconds())
	grid := tabwriter.NewWriter(os.Stdout, 14, 0, 2, ' ', 0)
	fmt.Fprintln(grid, "outage\tfrom\tto\tmin\tmedian\tp95\tmax")
	for _, o := range outages {
		port := wire.Addr()
		if o.direct {
			port = pg.Addr()
		}
		t.Run(o.name, func(t *testing.T) {
			for _, line := range o.measure(t, count, port, pg) {
				fmt.Fprintln(grid, line)
			}
			_ = grid.Flush()
		})
	}
}

// measure starts the sidecars, and breaks the server for all of them at one moment, which is
// another one in the interval of each.
func (o outage) measure(t *testing.T, count int, address string, pg *servers.Postgres) (lines []string) {
	t.Helper()
	vars := pg.Env()
	for i, v := range at(address) {
		vars[i] = v
	}
	vars = append(vars, servers.Var{Name: "DATABASE_SCHEMA_CHECK", Value: "off"})
	sidecars := make([]*sidecar, count)
	for i := range sidecars {
		sidecars[i] = startSidecar(t, "database", vars)
		sidecars[i].client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}} // 50 at once
	}
	t.Cleanup(func() { // all at once: each takes more than a second
		var stopping sync.WaitGroup
		for _, s := range sidecars {
			stopping.Go(func() { _ = s.Stop() })
		}
		stopping.Wait()
	})
	for _, s := range sidecars {
		if _, _, ok := s.watch(time.Minute, nil, func(seen state) bool { return seen.Status == "healthy" }); !ok {
			t.Fatal("not healthy at the start")
		}
	}
	must(t, poll.Pause(t.Context(), 2*normal().interval)) // in which their intervals drift apart
	results := make([]trial, count)
	o.each(t, sidecars, false, o.breaks, func(s *sidecar, began func() time.Duration, r *trial) bool {
		seen := s.state()
		now := began()
		note(&r.verdict, now, seen.Status == "unhealthy")
		if seen.Status == "unhealthy" {
			code, _ := s.get("http://" + s.Health + "/health")
			note(&r.answer, began(), code == 503)
			r.first = s.firstFailure(time.Now().Add(-began()))
		}
		return r.answer > 0
	}, results)
	must(t, poll.Pause(t.Context(), 2*normal().interval))
	o.each(t, sidecars, true, o.ends, func(s *sidecar, began func() time.Duration, r *trial) bool {
		code, _ := s.get("http://" + s.Health + "/health")
		note(&r.back, began(), code == 200)
		r.starved = strings.Contains(s.Log(), "starved of CPU")
		return r.back > 0
	}, results)
	results = slices.DeleteFunc(results, func(r trial) bool { return r.starved })
	if left := count - len(results); left > 0 {
		fmt.Fprintf(os.Stdout, "%s: %d of %d trials are left out, since the machine starved the sidecar of CPU: its time-outs do not count then\n", o.name, left, count)
	}
	if len(results) == 0 {
		t.Fatal("no trial is left")
	}
	for _, column := range []struct {
		from, to string
		of       func(trial) time.Duration
		bound    time.Duration
	}{
		{"the fault", "the first failed check", func(r trial) time.Duration { return r.first }, normal().detection()},
		{"the fault", "the verdict", func(r trial) time.Duration { return r.verdict }, normal().detection()},
		{"the fault", "503 of /health", func(r trial) time.Duration { return r.answer }, normal().detection()},
		{"its end", "200 of /health", func(r trial) time.Duration { return r.back }, normal().recovery()},
	} {
		var all []time.Duration
		for _, r := range results {
			all = append(all, column.of(r))
		}
		slices.Sort(all)
		at := func(share float64) float64 { return all[int(share*float64(len(all)-1)+0.5)].Seconds() }
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%.2f", o.name, column.from, column.to, at(0), at(0.5), at(0.95), at(1)))
		if longest := all[len(all)-1]; longest > column.bound+normal().slack {
			t.Errorf("%s to %s: up to %s, more than %s", column.from, column.to, longest, column.bound)
		}
	}
	return lines
}

// each does something to the server and looks at all sidecars until done is true for each.
// The time counts from the moment before it or, where over is set, after it.
func (o outage) each(t *testing.T, sidecars []*sidecar, over bool, do func(context.Context) error, done func(*sidecar, func() time.Duration, *trial) bool, results []trial) {
	t.Helper()
	start := time.Now()
	began := func() time.Duration { return time.Since(start) }
	must(t, do(t.Context()))
	if over { // it takes its time: a server starts
		start = time.Now()
	}
	var looking sync.WaitGroup
	for i, s := range sidecars {
		looking.Go(func() {
			for deadline := time.Now().Add(2 * time.Minute); !done(s, began, &results[i]); {
				if time.Now().After(deadline) {
					t.Errorf("trial %d is not over after two minutes", i)
					return
				}
				if poll.Pause(t.Context(), 50*time.Millisecond) != nil {
					return
				}
			}
		})
	}
	looking.Wait()
}

func note(to *time.Duration, now time.Duration, happened bool) {
	if *to == 0 && happened {
		*to = now
	}
}

// at returns the first variables of a PostgreSQL for another address.
func at(address string) []servers.Var {
	host, port, _ := net.SplitHostPort(address)
	return []servers.Var{{Name: "DATABASE_HOST", Value: host}, {Name: "DATABASE_PORT", Value: port}}
}
