package kube_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/reims/reims-health/pkg/kube"
)

func TestEvent(t *testing.T) {
	t.Parallel()
	const refused = "the connection was refused: nothing listens at that address"
	tests := []struct {
		name                  string
		before, after         []string // before is nil for nothing reported yet
		kind, reason, message string
	}{
		{"well from the start", nil, allOK(), "", "", ""},
		{"no result yet", nil, nil, "", "", ""},
		{"bad from the start", nil, allOK("redis", "refused"), "Warning", "DependencyUnhealthy", "redis is unhealthy: " + refused},
		{"first results", []string{}, allOK(), "", "", ""},
		{"nothing new", allOK("redis", "refused"), allOK("redis", "refused"), "", "", ""},
		{"another reason", allOK("redis", "refused"), allOK("redis", "timeout"), "", "", ""},
		{
			"several at once are one", allOK(), allOK("database", "refused", "redis", "out_of_memory"), "Warning", "DependencyUnhealthy",
			"database is unhealthy: " + refused + "; redis is degraded: memory is full and nothing may be evicted",
		},
		{"degraded", allOK(), allOK("minio", "disk_full"), "Warning", "DependencyDegraded", "minio is degraded: storage is full"},
		{"well again", allOK("redis", "refused"), allOK(), "Normal", "DependencyHealthy", "redis is healthy again"},
		{
			"one up, one down", allOK("redis", "refused"), allOK("minio", "disk_full"), "Warning", "DependencyDegraded",
			"redis is healthy again; minio is degraded: storage is full",
		},
		{
			"what stays bad is not reported again", allOK("redis", "refused"), allOK("redis", "refused", "ollama", "inference"),
			"Warning", "DependencyDegraded", "ollama is degraded: the model is loaded and does not answer",
		},
	}
	for _, test := range tests {
		reported := after(test.before...)
		if test.before == nil {
			reported = nil
		}
		kind, reason, message := kube.EventOf(reported, after(test.after...))
		if kind != test.kind || reason != test.reason || message != test.message {
			t.Errorf("%s: %s %s %q", test.name, kind, reason, message)
		}
	}
}

// Of more changes than a message takes, the worst are told whole and the others counted.
func TestEventOfMany(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 16 {
		names = append(names, fmt.Sprintf("warehouse-of-the-northern-api-%02d", i))
	}
	m := newMonitor(names...)
	for i, name := range names {
		m.checks(name, []string{"disk_full", "refused"}[i%2])
	}
	_, reason, message := kube.EventOf(nil, m.view)
	clauses := strings.Split(message, "; ")
	rest, last := 16-(len(clauses)-1), clauses[len(clauses)-1]
	if len(message) > 1024 || len(message) < 900 || reason != "DependencyUnhealthy" || last != fmt.Sprintf("and %d more", rest) {
		t.Errorf("%d bytes: %s", len(message), message)
	}
	for i, clause := range clauses[:len(clauses)-1] {
		want := names[(2*i+1)%16] + " is unhealthy: the connection was refused: nothing listens at that address"
		if i >= 8 {
			want = names[2*(i-8)] + " is degraded: storage is full"
		}
		if clause != want {
			t.Errorf("%q, want %q", clause, want)
		}
	}
}

// A message is cut to what the API server accepts, and between characters.
func TestEventIsCut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{strings.Repeat("é", 1000), "e" + strings.Repeat("é", 1000)} {
		m := newMonitor(name)
		m.checks(name, "refused")
		_, _, message := kube.EventOf(nil, m.view)
		if n := len(message); n > 1024 || n < 1023 || !utf8.ValidString(message) {
			t.Errorf("%d bytes, ending in %q", n, message[n-2:])
		}
	}
}
