package health_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// causes writes a readiness as "ready" or "not_ready" and its causes' sources and
// reasons, and whether they are a grace.
func causes(r health.Readiness) string {
	words := []string{"not_ready"}
	if r.Ready {
		words[0] = "ready"
	}
	for _, c := range r.Causes {
		word := c.Source + "=" + string(c.Reason)
		if c.Grace {
			word += "(grace)"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	const grace = 5 * time.Second
	tests := []struct {
		name    string
		policy  health.Policy
		grace   time.Duration
		history string        // one outcome a second
		later   time.Duration // than the last outcome
		want    string
	}{
		{"strict, no result", health.PolicyStrict, 0, "", 0, "not_ready db=no_result"},
		{"strict, no result for too long", health.PolicyStrict, 0, "", time.Minute, "not_ready db=stale"},
		{"strict, healthy", health.PolicyStrict, 0, "H", 0, "ready"},
		{"strict, proven by degraded", health.PolicyStrict, 0, "D", 0, "ready"},
		{"strict, unproven", health.PolicyStrict, 0, "P", 0, "not_ready db=schema_behind"},
		{"strict, unproven has no grace", health.PolicyStrict, grace, "P", 0, "not_ready db=schema_behind"},
		{"strict, satisfied once", health.PolicyStrict, 0, "HPP", 0, "ready"},
		{"strict, never usable", health.PolicyStrict, 0, "U", 0, "not_ready db=refused"},
		{"strict, never usable has no grace", health.PolicyStrict, grace, "U", 0, "not_ready db=refused"},
		{"strict, suspect before proven", health.PolicyStrict, grace, "S", 0, "not_ready db=auth"},
		{"strict, suspect once proven", health.PolicyStrict, 0, "HSS", 0, "ready"},
		{"strict, in doubt", health.PolicyStrict, 0, "HU", 0, "ready"},
		{"strict, outage", health.PolicyStrict, 0, "HUU", 0, "not_ready db=refused"},
		{"strict, grace running", health.PolicyStrict, grace, "HUU", 0, "ready db=refused(grace)"},
		{"strict, grace to its last moment", health.PolicyStrict, grace, "HUU", grace, "ready db=refused(grace)"},
		{"strict, grace over", health.PolicyStrict, grace, "HUU", grace + 1, "not_ready db=refused"},
		{"strict, grace counts from the verdict", health.PolicyStrict, grace, "HUUTT", grace - 2*time.Second, "ready db=timeout(grace)"},
		{"strict, grace is not renewed", health.PolicyStrict, grace, "HUUTT", grace - 2*time.Second + 1, "not_ready db=timeout"},
		{"strict, grace of a stale result", health.PolicyStrict, grace, "H", 22*time.Second + grace, "ready db=stale(grace)"},
		{"strict, stale", health.PolicyStrict, grace, "H", 22*time.Second + grace + 1, "not_ready db=stale"},
		{"strict, proven while the verdict lags", health.PolicyStrict, 0, "UD", 0, "ready"},
		{"startup, no result", health.PolicyStartup, 0, "", 0, "not_ready db=no_result"},
		{"startup, never usable", health.PolicyStartup, grace, "U", 0, "not_ready db=refused"},
		{"startup, unproven", health.PolicyStartup, 0, "P", 0, "not_ready db=schema_behind"},
		{"startup, usable", health.PolicyStartup, 0, "D", 0, "ready"},
		{"startup, outage once proven", health.PolicyStartup, 0, "HUU", 0, "ready"},
		{"startup, stale once proven", health.PolicyStartup, 0, "H", time.Hour, "ready"},
		{"ignore, no result", health.PolicyIgnore, 0, "", 0, "ready"},
		{"ignore, outage", health.PolicyIgnore, 0, "UUU", 0, "ready"},
		{"ignore, stale", health.PolicyIgnore, 0, "", time.Hour, "ready"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := final(service("db", policy(tt.policy, tt.grace)), tt.history)
			now := at(float64(len(tt.history))).Add(tt.later)
			same(t, "readiness", causes(reading(now, r).Readiness()), tt.want)
		})
	}
}

func TestOverrideAndShutdown(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		history  string
		override health.Override
		draining bool
		want     string
	}{
		{"none", "H", health.NoOverride, false, "ready"},
		{"ready when it is", "H", health.OverrideReady, false, "ready override=override"},
		{"ready when it is not", "U", health.OverrideReady, false, "ready db=refused override=override"},
		{"not ready when it is", "H", health.OverrideNotReady, false, "not_ready override=override"},
		{"not ready when it is not", "U", health.OverrideNotReady, false, "not_ready db=refused override=override"},
		{"draining", "H", health.NoOverride, true, "not_ready shutdown=shutdown"},
		{"draining beats the override", "H", health.OverrideReady, true, "not_ready override=override shutdown=shutdown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := health.NewView(at(1), []health.Result{final(service("db"), tt.history)}, tt.override, tt.draining)
			same(t, "readiness", causes(v.Readiness()), tt.want)
		})
	}
}

func TestCausesSayWhy(t *testing.T) {
	t.Parallel()
	v := health.NewView(at(3), []health.Result{
		final(service("database", policy(health.PolicyStrict, time.Minute)), "HUU"),
		final(service("redis"), "HDD"),
		final(service("minio", policy(health.PolicyStartup, 0)), ""),
	}, health.OverrideReady, true)
	want := []health.Cause{
		{
			Source: "database", Reason: "refused", Grace: true,
			ReasonText: "the connection was refused: nothing listens at that address",
			Message:    "the connection was refused: nothing listens at that address; ready under its grace until 2025-03-04T05:07:10Z",
		},
		{Source: "minio", Reason: "no_result", ReasonText: "no result yet", Message: "no result yet"},
		{Source: "override", Reason: "override", Message: "HEALTH_OVERRIDE_FILE says ready"},
		{Source: "shutdown", Reason: "shutdown", Message: "the sidecar is shutting down"},
	}
	got := v.Readiness()
	if diff := cmp.Diff(want, got.Causes); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	same(t, "in short", got.String(), "database: the connection was refused: nothing listens at that address; ready under its grace until 2025-03-04T05:07:10Z; "+
		"minio: no result yet; override: HEALTH_OVERRIDE_FILE says ready; shutdown: the sidecar is shutting down")
}
