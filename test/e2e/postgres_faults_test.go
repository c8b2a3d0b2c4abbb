package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

func (v *victim) missingDatabase(pg *servers.Postgres) fault {
	return fault{
		name: "unknown database", vars: with(nil, "DATABASE_NAME", "later"), early: true,
		fail: nothing, mend: func(ctx context.Context) error { return pg.SQL(ctx, "create database later") },
		status: "unhealthy", reason: "database_missing",
	}
}

// failovers lead the address to a standby and back, and to one that is then
// promoted. The connections are cut, as a failover does.
func (v *victim) failovers(t *testing.T, pg *servers.Postgres) []fault {
	t.Helper()
	standby := servers.RunStandby(t, pg)
	away := sure(func() { v.relay.To(standby.Addr()) })
	return []fault{
		{
			name: "failed over and back", vars: v.detour(),
			fail: away, mend: sure(func() { v.relay.To(pg.Addr()) }), status: "unhealthy", reason: "read_only",
		},
		{
			name: "failed over and promoted", vars: v.detour(),
			fail: away, mend: standby.Promote, status: "unhealthy", reason: "read_only",
		},
	}
}

// fullFaults take every connection that the server has for users. One that the
// sidecar holds by then is all that it needs.
func (v *victim) fullFaults(t *testing.T, pg *servers.Postgres) []fault {
	t.Helper()
	h := &servers.Hoard{URL: fmt.Sprintf("postgres://app:%s@%s/%s?sslmode=disable&application_name=hoard", v.password(), pg.Addr(), pg.Database)}
	t.Cleanup(func() { _ = h.Release(context.Background()) })
	return []fault{
		{
			name: "no slot at the start", early: true,
			fail: h.Fill, mend: h.Release, status: "unhealthy", reason: "too_many_connections",
		},
		{
			name: "no slot and ours lost",
			fail: steps(h.Fill, func(ctx context.Context) error { return takeOver(ctx, h, pg) }), mend: h.Release,
			status: "degraded", reason: "too_many_connections",
		},
	}
}

// takeOver ends the sidecar's connection and takes its slot.
func takeOver(ctx context.Context, h *servers.Hoard, pg *servers.Postgres) error {
	before := h.Len()
	ok := poll.Poll(ctx, confirmed, func() bool {
		if pg.SQL(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'reims-health'") != nil {
			return false
		}
		return h.Fill(ctx) == nil && h.Len() > before
	})
	if !ok {
		return errors.New("the sidecar's slot cannot be taken")
	}
	return nil
}

// Out of connections is no fault while the sidecar holds one: it is not what the
// check is about, and others' connections are not told to be refused.
func TestDatabaseFullWhileWeHoldOne(t *testing.T) {
	t.Parallel()
	pg := runPostgres(t)
	v := newVictimOf(t, "database", postgresVictim(t, pg))
	s := startSidecar(t, with(v.vars, "HEALTH_SERVICES", "database")...)
	s.awaitService("database", "healthy", "", confirmed)
	h := &servers.Hoard{URL: fmt.Sprintf("postgres://app:%s@%s/%s?sslmode=disable", v.password(), pg.Addr(), pg.Database)}
	must(t, h.Fill(t.Context()))
	stop := s.watch(false, unaffected(""))
	checks := s.checks("database")
	if !poll.Poll(t.Context(), 4*interval+slack, func() bool { return s.checks("database") >= checks+3 }) {
		t.Error("the checks have stopped")
	}
	stop()
	m := s.scrape()
	if used, most := m[`reims_health_db_connections{kind="used",service="database"}`], m[`reims_health_db_connections{kind="max",service="database"}`]; most != 12 || used < most-3 {
		t.Errorf("connections used %v of %v", used, most)
	}
	must(t, h.Release(t.Context()))
}

// checks counts the probes of a service that counted.
func (s *sidecar) checks(service string) float64 {
	s.t.Helper()
	return s.scrape().sum("reims_health_probe_duration_seconds_count", `service="`+service+`"`)
}
