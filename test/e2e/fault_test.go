package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// step breaks or mends something.
type step func(ctx context.Context) error

// nothing is the step for a fault that lies in the sidecar's variables.
func nothing(context.Context) error { return nil }

// steps are done one after the other.
func steps(all ...step) step {
	return func(ctx context.Context) error {
		for _, s := range all {
			if err := s(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// plain is a step that needs no context.
func plain(f func() error) step { return func(context.Context) error { return f() } }

// sure is a step that cannot fail.
func sure(f func()) step {
	return func(context.Context) error {
		f()
		return nil
	}
}

// fault is a way in which a server goes wrong, and what the contract says of it.
type fault struct {
	name string
	vars []servers.Var // of the sidecar, beyond the victim's own
	// early faults are there before the sidecar is started.
	early      bool
	fail, mend step
	status     string
	reason     string
}

// suffer holds the sidecar to everything that the contract promises in a fault.
// usual is what a sidecar has open when all is well.
func (v *victim) suffer(t *testing.T, f fault, usual footprint) { //nolint:thelper // it is the test
	if f.early {
		must(t, f.fail(t.Context()))
	}
	s := startSidecar(t, v.env(t, f.vars...)...)
	s.await("/health", confirmed, func(a answer) bool { return a.healthy(v.others()...) && (f.early || allHealthy(a)) })
	stop := s.watch(false, unaffected(v.service))
	if !f.early {
		must(t, f.fail(t.Context()))
	}
	a, took := s.await("/health", confirmed, func(a answer) bool { return a.judged(v.service) && !a.healthy(v.service) })
	t.Logf("%s after %s", f.reason, took)
	if d := a.detail(v.service); a.json.Services[v.service] != f.status || d.Reason != f.reason {
		t.Errorf("%s is %s: %+v, want %s %s", v.service, a.json.Services[v.service], d, f.status, f.reason)
	}
	s.checkAgreement(v.service, f.status)
	must(t, f.mend(t.Context()))
	_, took = s.awaitService(v.service, "healthy", "", confirmed)
	t.Logf("healthy after %s", took)
	stop()
	s.checkAgreement(v.service, "healthy")
	s.checkNoFlap(v.service, f.status)
	s.checkSettled(v, usual)
}

// others are the services that have no fault.
func (v *victim) others() (others []string) {
	for _, service := range services {
		if service != v.service {
			others = append(others, service)
		}
	}
	return others
}

func (a answer) judged(service string) bool { return a.json.Services[service] != "unknown" }

// checkAgreement compares what the endpoints and the metrics say of one service.
func (s *sidecar) checkAgreement(service, status string) {
	s.t.Helper()
	up, code := 1.0, 200
	if status == "unhealthy" {
		up, code = 0, 503
	}
	if a := s.get("/health/" + service); a.code != code || a.json.Status != status {
		s.t.Errorf("/health/%s: %d %s, want %d %s", service, a.code, a.body, code, status)
	}
	m := s.scrape()
	m.want(s.t, fmt.Sprintf("reims_service_health{service=%q}", service), up)
	m.want(s.t, fmt.Sprintf("reims_health_up{service=%q}", service), up)
	m.want(s.t, fmt.Sprintf("reims_health_status{service=%q,status=%q}", service, status), 1)
	if len(m) > 4*56+45 { // the contract's bound: per service, and for the sidecar
		s.t.Errorf("%d series", len(m))
	}
	if service == "database" { // the only one that decides readiness by default
		if a := s.get("/health/ready"); a.code != code {
			s.t.Errorf("/health/ready: %d %s, want %d", a.code, a.body, code)
		}
		if a := s.get("/health"); a.code != code {
			s.t.Errorf("/health: %d, want %d", a.code, code)
		}
	}
}

// checkNoFlap wants the verdict to have changed to the faulty status just once.
func (s *sidecar) checkNoFlap(service, status string) {
	s.t.Helper()
	s.scrape().want(s.t, fmt.Sprintf("reims_health_transitions_total{service=%q,to=%q}", service, status), 1)
}

// checkSettled wants no more to be open than usual.
func (s *sidecar) checkSettled(v *victim, usual footprint) {
	s.t.Helper()
	var f footprint
	if !poll.Poll(s.t.Context(), confirmed, func() bool {
		f = s.footprint(v.count(s.t))
		return f.within(usual)
	}) {
		s.t.Errorf("afterwards %+v, usually %+v; the log shows the goroutines", f, usual)
		s.Signal(syscall.SIGQUIT)
	}
}

func (v *victim) count(t testing.TB) func() int {
	t.Helper()
	return func() int {
		n, err := v.connections(t.Context())
		must(t, err)
		return n
	}
}

// usual measures a sidecar when all is well.
func (v *victim) usual(t *testing.T) footprint {
	t.Helper()
	s := startSidecar(t, v.env(t)...)
	s.await("/health", confirmed, allHealthy)
	usual := s.typical(v.count(t))
	if usual.connections != 1 {
		t.Errorf("%d connections, want 1", usual.connections)
	}
	s.awaitService(v.service, "healthy", "", 0)
	return usual
}

// sufferAll goes through faults one by one, and leaves the victim in order after
// each.
func (v *victim) sufferAll(t *testing.T, faults []fault) {
	t.Helper()
	var usual footprint
	t.Run("none", func(t *testing.T) { usual = v.usual(t) })
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Cleanup(func() { must(t, v.restore(context.Background())) })
			v.suffer(t, f, usual)
		})
	}
}

// restore mends what a failed test may have left behind.
func (v *victim) restore(ctx context.Context) error {
	v.relay.To(v.server.Addr())
	if !v.server.Running() {
		if err := v.server.Start(ctx); err != nil {
			return err
		}
	}
	if err := v.server.Thaw(); err != nil || v.setSecret == nil {
		return err
	}
	return v.setSecret(ctx, v.password())
}
