package faults_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/checking"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// pace is how the sidecar checks, and what it is allowed beyond the formula.
type pace struct {
	interval, timeout, slack time.Duration
	// frozen is how long a server is frozen.
	frozen time.Duration
	// lifetime is how old connections may become, where a fault shows in new ones only; zero
	// for the default.
	lifetime time.Duration
}

// quick has a slack for a machine that runs other tests too.
func quick() pace { return pace{time.Second, 3 * time.Second / 2, 10 * time.Second, 0, 0} }

// normal is the default pace of the services database and redis.
func normal() pace { return pace{5 * time.Second, 2 * time.Second, time.Second, time.Minute, 0} }

// detection is the promise: an outage is confirmed within so much.
func (p pace) detection() time.Duration {
	return p.interval*11/10 + 2*p.timeout + time.Second + p.lifetime
}

// recovery is how long it takes to see that a service is back: a check that hangs ends, the
// next one begins, and succeeds.
func (p pace) recovery() time.Duration { return p.interval*11/10 + 2*p.timeout }

// cell is one fault of one kind, being tried.
type cell struct {
	*subject
	pace
	fault
	t       *testing.T
	relay   *relay.Relay
	target  string // where the relay leads while all is well
	vouches *checking.Authority
	dns     *nameServer
	host    string // the name, of a fault of names
	want    verdict
	got     outcome
}

// outcome is what became of a cell.
type outcome struct {
	verdict
	first, confirmed, recovered time.Duration
	problems                    []string
}

func (c *cell) wrong(format string, args ...any) {
	c.got.problems = append(c.got.problems, fmt.Sprintf(format, args...))
}

// inShort reports whether a cell is part of the short form: all that break a server itself, and
// a third of the others, of each fault and each kind.
func (f fault) inShort(row, column int) bool { return f.alone || (row+column)%3 == 0 }

// TestFaults tries every fault with every kind; in the short form, with some of the kinds.
func TestFaults(t *testing.T) { //nolint:paralleltest // its subtests are
	expected, all, ca := parseTable(t), startSubjects(t), authority(t)
	var dns *nameServer
	if os.Geteuid() == 0 {
		dns = startNameServer(t)
	}
	p := quick()
	if *whole {
		p = normal()
	}
	report := report{table: expected, outcomes: map[string]outcome{}, left: map[string]string{}}
	t.Run("cells", func(t *testing.T) {
		for row, f := range faults() {
			for column, kind := range expected.kinds {
				key := kind + "/" + f.name
				want, ok := expected.cells[key]
				switch {
				case !ok:
					continue
				case !*whole && !f.inShort(row, column):
					report.skipped++
					continue
				case f.named && dns == nil:
					report.left[key] = "it takes root, for a name server and a mount"
					continue
				}
				p.lifetime = f.lifetime
				c := &cell{subject: all[kind], pace: p, fault: f, vouches: ca, dns: dns, want: want}
				t.Run(strings.ReplaceAll(key, " ", "_"), func(t *testing.T) {
					t.Parallel()
					c.t = t
					c.run()
					report.add(key, c)
				})
			}
		}
	})
	report.print(t)
}

// run tries the cell.
func (c *cell) run() {
	if c.alone {
		c.healthy.Lock()
		defer c.healthy.Unlock()
	} else {
		c.healthy.RLock()
		defer c.healthy.RUnlock()
	}
	s, address := c.start()
	if _, ok := c.await(s, "healthy", time.Minute); !ok {
		c.t.Fatal("not healthy at the start")
	}
	usual, before := c.usual(s, address), c.changes(s)
	mend := c.disturb(s)
	must(c.t, mend(context.WithoutCancel(c.t.Context())))
	if took, ok := c.await(s, "healthy", c.recovery()+c.slack); ok {
		c.got.recovered = took
	} else {
		c.wrong("not healthy %s after it was mended", took.Round(time.Millisecond))
	}
	c.checkChanges(before, c.changes(s))
	c.checkSettled(s, address, usual)
}

// start starts the sidecar of the cell, and returns the address that it connects to.
func (c *cell) start() (s *sidecar, address string) {
	c.t.Helper()
	c.target = c.server.Addr()
	vars := append([]servers.Var{
		{Name: "VICTIM_PROBE_INTERVAL", Value: c.interval.String()},
		{Name: "VICTIM_PROBE_TIMEOUT", Value: c.timeout.String()},
		{Name: "VICTIM_READINESS", Value: "strict"},
	}, c.vars...)
	if c.fault.lifetime > 0 {
		vars = append(vars, servers.Var{Name: "VICTIM_PROBE_CONNECTION_LIFETIME", Value: c.fault.lifetime.String()})
	}
	if c.secure {
		now := time.Now()
		c.target = c.secured(c.t, c.vouches.Issue(c.t, now.Add(-time.Hour), now.Add(48*time.Hour), "127.0.0.1"))
		vars = append(vars, servers.Var{Name: c.authority, Value: c.vouches.File(c.t)}, servers.Var{Name: "HEALTH_CERTIFICATE_WARNING", Value: "1h"})
	}
	var err error
	c.relay, err = relay.Start(c.target)
	must(c.t, err)
	c.t.Cleanup(c.relay.Close)
	if address = c.relay.Addr(); c.direct {
		address = c.server.Addr()
	}
	reached := address
	var before []string
	if c.named {
		c.host = c.kind + ".faults.internal" // a suffix by which Ollama lets itself be asked
		c.dns.set(c.host, true)
		_, port, err := net.SplitHostPort(address)
		must(c.t, err)
		reached, before = net.JoinHostPort(c.host, port), c.dns.within()
	}
	vars = append(vars, servers.Var{Name: "VICTIM_CHECK", Value: c.check(reached, c.secure)})
	return startSidecar(c.t, "victim", vars, before...), address
}

func (c *cell) await(s *sidecar, status string, limit time.Duration) (took time.Duration, ok bool) {
	c.t.Helper()
	last, took, ok := s.watch(limit, nil, func(seen state) bool { return seen.Status == status && seen.Details.Failures == 0 })
	if !ok {
		c.t.Logf("last seen: %+v", last)
	}
	return took, ok
}

// usual is what the sidecar has open when all is well: the most of what was seen over two
// checks.
func (c *cell) usual(s *sidecar, address string) (most footprint) {
	c.t.Helper()
	const samples = 20
	for range samples {
		f := s.footprint(address)
		most.goroutines, most.descriptors = max(most.goroutines, f.goroutines), max(most.descriptors, f.descriptors)
		most.connections, most.resident = max(most.connections, f.connections), max(most.resident, f.resident)
		_ = poll.Pause(c.t.Context(), 2*min(c.interval, time.Second)/samples)
	}
	return most
}

// disturb breaks the service and looks at what the sidecar says, for as long as the fault is
// kept up.
func (c *cell) disturb(s *sidecar) (mend func(context.Context) error) {
	c.t.Helper()
	began := time.Now()
	mend, err := c.breaks(c.t.Context(), c)
	must(c.t, err)
	checks := map[time.Time]bool{}
	see := func(seen state) { checks[seen.Details.CheckedAt] = true }
	sick := func(seen state) bool { return seen.Status != "healthy" }
	limit := c.detection()
	if c.want.status != "healthy" {
		limit += c.slack
	}
	last, _, broken := s.watch(limit, see, sick)
	c.got.first = s.firstFailure(began)
	c.got.verdict = verdict{last.Status, last.Details.Reason}
	if broken {
		c.got.confirmed = time.Since(began)
	}
	if c.got.verdict != c.want {
		c.wrong("%s, want %s: %s", c.got.verdict, c.want, last.Details.Message)
	}
	if c.got.confirmed > c.detection()+c.slack {
		c.wrong("confirmed after %s", c.got.confirmed)
	}
	if code := map[bool]int{true: 503, false: 200}[c.want.status == "unhealthy"]; last.code != code {
		c.wrong("/health/victim answers with %d, want %d", last.code, code)
	}
	if !broken && len(checks) < 3 {
		c.wrong("%d checks in %s", len(checks), time.Since(began))
	}
	if c.lasts != nil {
		_, _, changed := s.watch(c.lasts(c.pace)-time.Since(began), nil, func(seen state) bool {
			return verdict{seen.Status, seen.Details.Reason} != c.want
		})
		if changed {
			c.wrong("the verdict changed while the fault lasted")
		}
	}
	return mend
}

// bad are the verdicts that a fault can lead to.
var bad = []string{"degraded", "unhealthy"}

// changes counts how often the verdict became each of the bad ones.
func (c *cell) changes(s *sidecar) map[string]int {
	c.t.Helper()
	_, body := s.get("http://" + s.Metrics + "/metrics")
	changes := map[string]int{}
	for _, status := range bad {
		changes[status] = int(s.metric(body, fmt.Sprintf("reims_health_transitions_total{service=%q,to=%q}", "victim", status)))
	}
	return changes
}

// checkChanges wants the verdict to have changed once, to the right one.
func (c *cell) checkChanges(before, after map[string]int) {
	for _, status := range bad {
		want := 0
		if status == c.want.status {
			want = 1
		}
		if n := after[status] - before[status]; n != want {
			c.wrong("%d changes to %s, want %d", n, status, want)
		}
	}
}

// checkSettled wants no more to be open than before.
func (c *cell) checkSettled(s *sidecar, address string, usual footprint) {
	c.t.Helper()
	var last footprint
	if !poll.Poll(c.t.Context(), c.recovery()+10*time.Second, func() bool {
		last = s.footprint(address)
		return last.within(usual)
	}) {
		c.wrong("afterwards %+v, before %+v", last, usual)
	}
}

func (v verdict) String() string {
	if v.reason == "" {
		return v.status
	}
	return v.status + ":" + v.reason
}

// report gathers the outcomes.
type report struct {
	table
	mu       sync.Mutex
	outcomes map[string]outcome
	left     map[string]string // cells that could not be tried here, and why
	skipped  int               // cells that are not part of the short form
}
