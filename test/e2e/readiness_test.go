package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// What readiness makes of a database that was there and is killed, by the policy.
// /health is honest in all cases.
func TestReadinessPolicies(t *testing.T) {
	t.Parallel()
	const grace = 3 * time.Second
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	env := with(pg.Env(), "HEALTH_SERVICES", "database")
	strict := startSidecar(t, env...)
	graceful := startSidecar(t, with(env, "DATABASE_READINESS_GRACE", grace.String())...)
	latched := startSidecar(t, with(env, "DATABASE_READINESS", "startup")...)
	ignored := startSidecar(t, with(env, "DATABASE_READINESS", "ignore")...)
	all := []*sidecar{strict, graceful, latched, ignored}
	for _, s := range all {
		s.await("/health/ready", confirmed, isOK)
	}
	must(t, pg.Kill())
	strict.await("/health/ready", confirmed, func(a answer) bool { return a.code == 503 })
	a, _ := graceful.awaitService("database", "unhealthy", "refused", confirmed)
	since := a.detail("database").Since
	if a := graceful.get("/health/ready"); a.code != 200 || !strings.Contains(a.body, "grace") {
		t.Errorf("in its grace: %d %s", a.code, a.body)
	}
	graceful.await("/health/ready", grace+slack, func(a answer) bool { return a.code == 503 })
	if d := time.Since(since); d < grace {
		t.Errorf("the grace was over after %s", d)
	}
	for _, s := range []*sidecar{latched, ignored} {
		s.awaitService("database", "unhealthy", "refused", confirmed)
		if a := s.get("/health/ready"); a.code != 200 {
			t.Errorf("/health/ready: %d %s", a.code, a.body)
		}
	}
	for s, code := range map[*sidecar]int{strict: 503, graceful: 503, latched: 503, ignored: 200} {
		if a := s.get("/health"); a.code != code {
			t.Errorf("/health: %d %s, want %d", a.code, a.body, code)
		}
	}
	must(t, pg.Start(t.Context()))
	for _, s := range all {
		s.awaitService("database", "healthy", "", confirmed)
		s.await("/health/ready", confirmed, isOK)
	}
}

// With the startup policy a sidecar is not ready before the service was proven.
func TestStartupPolicyBefore(t *testing.T) {
	t.Parallel()
	s := startSidecar(t, with(nowhere(t), "DATABASE_READINESS", "startup")...)
	s.awaitService("database", "unhealthy", "refused", confirmed)
	if a := s.get("/health/ready"); a.code != 503 {
		t.Errorf("/health/ready: %d %s", a.code, a.body)
	}
}

// A server that fails one check now and then stays healthy: consecutive means
// consecutive.
func TestFlapping(t *testing.T) {
	t.Parallel()
	target := bystanders.addr(t, "redis")
	r := startRelay(t, target)
	vars := with(append(bystanders.env(t), servers.At("redis", r.Addr())...), "REDIS_PROBE_TIMEOUT", timeout.String())
	s := startSidecar(t, with(vars, "REDIS_PROBE_FAILURE_THRESHOLD", "2")...)
	s.await("/health", confirmed, allHealthy)
	stop := s.watch(false, unaffected(""))
	for n := 1.0; n <= 3; n++ {
		r.Silence()
		s.awaitFailures("redis", n)
		r.To(target)
		checks := s.checks("redis")
		if !poll.Poll(t.Context(), confirmed, func() bool { return s.checks("redis") > checks }) {
			t.Fatal("the checks have stopped")
		}
	}
	stop()
	s.scrape().want(t, `reims_health_transitions_total{service="redis",to="unhealthy"}`, 0)
}

func (s *sidecar) awaitFailures(service string, n float64) {
	s.t.Helper()
	if !poll.Poll(s.t.Context(), confirmed, func() bool { return s.failures(service) >= n }) {
		s.t.Fatalf("%v checks of %s failed, want %v", s.failures(service), service, n)
	}
}

func (s *sidecar) failures(service string) float64 {
	return s.scrape().sum("reims_health_probe_duration_seconds_count", `result="failure"`, `service="`+service+`"`)
}

// A first failure is looked into within a second, at random, however long the interval.
func TestDoubtIsShort(t *testing.T) {
	t.Parallel()
	pg := servers.RunPostgres(t, servers.PostgresOptions{})
	env := with(with(pg.Env(), "HEALTH_SERVICES", "database"), "DATABASE_PROBE_INTERVAL", "6s")
	s := startSidecar(t, env...)
	s.awaitService("database", "healthy", "", confirmed)
	must(t, pg.Kill())
	s.awaitService("database", "unhealthy", "refused", 6*time.Second*11/10+2*timeout+time.Second+slack)
	var failed []time.Time
	if !poll.Poll(t.Context(), slack, func() bool {
		failed = s.logTimes("probe failed")
		return len(failed) >= 2
	}) {
		t.Fatalf("%d failures in the log", len(failed))
	}
	if d := failed[1].Sub(failed[0]); d < 450*time.Millisecond || d > time.Second+timeout+slack {
		t.Errorf("the second look came after %s", d)
	}
}

// logTimes returns when a message was logged.
func (s *sidecar) logTimes(message string) (times []time.Time) {
	for line := range strings.Lines(s.Log()) {
		var record struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == message {
			times = append(times, record.Time)
		}
	}
	return times
}
