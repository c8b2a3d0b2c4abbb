package kube_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/dependency/registry"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/kube"
)

func TestCondition(t *testing.T) {
	t.Parallel()
	const refused = "the connection was refused: nothing listens at that address"
	tests := []struct {
		name                    string
		checks                  []string
		status, reason, message string
	}{
		{
			"nothing yet", nil, "Unknown", "NoResultYet",
			"database is unknown: no result yet; redis is unknown: no result yet; minio is unknown: no result yet; ollama is unknown: no result yet",
		},
		{
			"one still missing",
			[]string{"database", "ok", "redis", "ok", "minio", "ok"},
			"Unknown", "NoResultYet",
			"ollama is unknown: no result yet",
		},
		{
			"bad news does not wait",
			[]string{"database", "refused", "redis", "ok", "minio", "ok"},
			"False", "DatabaseRefused",
			"database is unhealthy: " + refused + "; ollama is unknown: no result yet",
		},
		{
			"all well", allOK(), "True", "DependenciesHealthy",
			"every dependency is healthy: database, redis, minio, ollama",
		},
		{
			"degraded", allOK("minio", "bucket_missing"), "False", "MinioBucketMissing",
			"minio is degraded: a bucket that must exist does not",
		},
		{
			"the worst is the reason, all are in the message", allOK("redis", "out_of_memory", "ollama", "dns"), "False", "OllamaDns",
			"redis is degraded: memory is full and nothing may be evicted; ollama is unhealthy: the host name could not be resolved",
		},
		{
			"of two as bad, the first", allOK("redis", "refused", "minio", "timeout"), "False", "RedisRefused",
			"redis is unhealthy: " + refused + "; minio is unhealthy: no answer within the probe's timeout",
		},
		{"and again", allOK("redis", "refused", "redis", "ok"), "True", "DependenciesHealthy", "every dependency is healthy: database, redis, minio, ollama"},
	}
	for _, test := range tests {
		status, reason, message := kube.ConditionOf(after(test.checks...))
		if status != test.status || reason != test.reason || message != test.message {
			t.Errorf("%s: %s %s %q", test.name, status, reason, message)
		}
	}
}

// Of two as bad, the one that matters for readiness is the reason, wherever it is in
// the order.
func TestConditionPrefersWhatGatesReadiness(t *testing.T) {
	t.Parallel()
	results := slices.Clone(after(allOK("redis", "refused", "database", "timeout")...).Results())
	slices.Reverse(results)
	if _, reason, _ := kube.ConditionOf(health.NewView(time.Now(), results, health.NoOverride, false)); reason != "DatabaseTimeout" {
		t.Error(reason)
	}
}

// A verdict that nobody renews goes stale, and the condition says so.
func TestConditionGoesStale(t *testing.T) {
	t.Parallel()
	s := after(allOK()...).At(time.Now().Add(49 * time.Hour))
	if status, reason, _ := kube.ConditionOf(s); status != "False" || reason != "DatabaseStale" {
		t.Error(status, reason)
	}
}

// Whatever happens, the texts are ones that Kubernetes takes, and hold nothing that a
// fault says in its own words.
func TestTexts(t *testing.T) {
	t.Parallel()
	outcomes := []string{"ok", "unheard_of"}
	for _, r := range health.Reasons(registry.Kinds().Described()...) {
		outcomes = append(outcomes, string(r))
	}
	reasonSyntax := regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`) // metav1.Condition's
	rapid.Check(t, func(t *rapid.T) {
		var checks []string
		for range rapid.IntRange(0, 12).Draw(t, "checks") {
			checks = append(checks,
				rapid.SampledFrom([]string{"database", "redis", "minio", "ollama"}).Draw(t, "service"),
				rapid.SampledFrom(outcomes).Draw(t, "outcome"))
		}
		s := after(checks...)
		status, reason, message := kube.ConditionOf(s)
		kind, eventReason, eventMessage := kube.EventOf(nil, s)
		if !reasonSyntax.MatchString(reason) || message == "" || len(message) > 1024 || len(eventMessage) > 1024 {
			t.Fatalf("%s %q %q %q", status, reason, message, eventMessage)
		}
		if text := message + eventMessage; strings.Contains(text, canary) || strings.Contains(text, "secret") {
			t.Fatal(text)
		}
		if (kind == "Warning") != (status == "False") || (kind == "") != (eventReason == "") {
			t.Fatalf("%s, and an Event of type %q", status, kind)
		}
	})
}
