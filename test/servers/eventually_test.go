package servers_test

import (
	"testing"
	"time"
)

// eventually polls until done says true, and fails the test after ten seconds.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(quick)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: still not so after %s", what, quick)
		}
	}
}
