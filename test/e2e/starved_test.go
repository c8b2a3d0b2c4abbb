package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// onlyStale wants every service that is not well to be so because there was no
// result: the one verdict that a starved process may give.
func onlyStale(a answer) error {
	for _, service := range services {
		status, d := a.json.Services[service], a.detail(service)
		if status != "healthy" && status != "unknown" && (status != "unhealthy" || d.Reason != "stale") {
			return fmt.Errorf("%s is %s: %+v", service, status, d)
		}
	}
	return nil
}

// checkBlameless wants no verdict to have changed since the first one, no check since then to have
// been held against its server, and some to have been thrown away. Before is a scrape of then: while
// servers start on a full machine, they may well be too slow.
func (s *sidecar) checkBlameless(before samples) {
	s.t.Helper()
	m := s.scrape()
	for _, to := range []string{"degraded", "unhealthy"} {
		if n := m.sum("reims_health_transitions_total", `to="`+to+`"`); n != 0 {
			s.t.Errorf("%v changes to %s", n, to)
		}
	}
	for _, reason := range []string{"timeout", "slow", "other"} {
		if n := m.sum("reims_health_probes_total", `reason="`+reason+`"`) - before.sum("reims_health_probes_total", `reason="`+reason+`"`); n != 0 {
			s.t.Errorf("%v checks count as %s", n, reason)
		}
	}
	s.t.Logf("%v checks discarded", m.sum(`result="discarded"`))
	if m.sum(`result="discarded"`) == 0 {
		s.t.Error("no check was thrown away: it was not starved in the middle of one")
	}
}

// detours puts a relay in front of each bystander.
func detours(t *testing.T, probeTimeout time.Duration) (relays []*relay.Relay, vars []servers.Var) {
	t.Helper()
	vars = bystanders.env(t)
	for i, service := range services {
		r := startRelay(t, bystanders.addr(t, service))
		relays = append(relays, r)
		vars = append(vars, servers.At(service, r.Addr())...)
		vars = with(vars, prefixes[i]+"_PROBE_TIMEOUT", probeTimeout.String())
	}
	return relays, vars
}

// The process is stopped in the middle of checks, again and again, for longer than
// their timeout. Every server is well.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	relays, vars := detours(t, timeout)
	s := startSidecar(t, vars...)
	s.await("/health", confirmed, allHealthy)
	before := s.scrape()
	stop := s.watch(true, onlyStale)
	for _, r := range relays {
		s.stopDuringCheck(r)
		s.await("/health", confirmed, allHealthy)
	}
	stop()
	s.checkBlameless(before)
}

// stopDuringCheck stops the process while the relay holds the answer that it
// waits for, until after its deadline.
func (s *sidecar) stopDuringCheck(r *relay.Relay) {
	s.t.Helper()
	r.Delay.Store(int64(4 * timeout))
	if !poll.Poll(s.t.Context(), 2*interval+slack, func() bool { return r.Held.Load() > 0 }) {
		s.t.Fatal("no check is under way")
	}
	s.Signal(syscall.SIGSTOP)
	r.Delay.Store(0)
	hold(s.t.Context(), 3*timeout)
	s.Signal(syscall.SIGCONT)
}

// A quota of processor time, as of a container: the process gets 5 ms and then
// nothing for longer than its timeouts. The servers are well, and answer while it
// does not run; the timeout is long enough for them on a machine full of tests.
func TestStarvedByQuota(t *testing.T) {
	t.Parallel()
	const timeout, rest, rests = 6 * time.Second, 8 * time.Second, 5
	relays, vars := detours(t, timeout)
	s := startSidecar(t, vars...)
	s.await("/health", confirmed, allHealthy)
	before := s.scrape()
	for _, r := range relays {
		r.Delay.Store(int64(20 * time.Millisecond))
	}
	stop := s.watch(true, onlyStale)
	resume := s.throttle(5*time.Millisecond, rest)
	hold(t.Context(), rests*rest)
	resume()
	s.await("/health", confirmed+timeout, allHealthy)
	stop()
	s.checkBlameless(before)
}

// throttle lets the process run only so long in turn, until resume is called.
func (s *sidecar) throttle(run, rest time.Duration) (resume func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var throttling sync.WaitGroup
	throttling.Go(func() {
		for ctx.Err() == nil {
			s.Signal(syscall.SIGSTOP)
			hold(ctx, rest)
			s.Signal(syscall.SIGCONT)
			hold(ctx, run)
		}
	})
	resume = sync.OnceFunc(func() {
		cancel()
		throttling.Wait()
	})
	s.t.Cleanup(resume)
	return resume
}
