// Package poll waits in tests until something is true: by asking again and again, with a
// deadline that a machine full of other work does not reach.
package poll

import (
	"context"
	"testing"
	"time"
)

const (
	// patience is more than ten times what the slowest of the things takes that tests
	// wait for.
	patience = time.Minute
	period   = 20 * time.Millisecond
)

// Until calls done until it is true, and fails the test where it is not within a minute.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	Within(t, patience, what, done)
}

// Within is [Until] with a deadline of its own, for what takes longer.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if !Poll(ctx, done) {
		t.Fatalf("waited %s in vain: %s", limit, what)
	}
}

// Poll calls done until it is true. It reports false where ctx ends first.
func Poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
