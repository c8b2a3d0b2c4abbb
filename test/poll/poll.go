// Package poll waits in tests until something is true: it asks again and again, up to a
// deadline that is at least ten times as long as the thing usually takes, so that other
// work on the machine does not fail a test.
package poll

import (
	"context"
	"testing"
	"time"
)

const (
	// patience is more than ten times as long as the slowest thing takes that tests
	// usually wait for.
	patience = time.Minute
	// The pauses between two calls grow from shortest to longest. They are a fiftieth of
	// the time that has passed, so that a measured wait is right to 2 %.
	shortest, longest = 5 * time.Millisecond, 100 * time.Millisecond
	share             = 50
)

// Pause lets time pass. It returns the error of ctx where that is done first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Until calls done until it returns true, and fails the test after a minute. The text
// says in the failure what was waited for.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	Within(t, patience, what, done)
}

// Within is [Until] with a limit of its own. It returns how long it has waited.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) time.Duration {
	t.Helper()
	return Seen(t, limit, what, func() (string, bool) { return "", done() })
}

// Seen is [Within] for a look that also returns what it saw, which the failure shows.
func Seen(t testing.TB, limit time.Duration, what string, look func() (seen string, done bool)) time.Duration {
	t.Helper()
	began, last := time.Now(), ""
	if !Poll(t.Context(), limit, func() (done bool) { last, done = look(); return done }) {
		t.Fatalf("not within %s: %s\n%s", limit, what, last)
	}
	return time.Since(began)
}

// Poll calls done until it returns true. It returns false when the limit has passed or
// ctx is done; done is called once more before that.
func Poll(ctx context.Context, limit time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	for !done() {
		if Pause(ctx, min(max(time.Since(began)/share, shortest), longest)) != nil {
			return done()
		}
	}
	return true
}
