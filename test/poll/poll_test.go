package poll_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// after returns a condition that holds from a time on, and counts how often it is asked.
func after(d time.Duration, calls *int) func() bool {
	began := time.Now()
	return func() bool {
		*calls++
		return time.Since(began) >= d
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		holdsAfter, limit, cancelled time.Duration
		want                         bool
		takes                        time.Duration // at most 2 % or 5 ms more
	}{
		"at once, with no time at all": {0, 0, time.Hour, true, 0},
		"never":                        {time.Hour, time.Second, time.Hour, false, time.Second},
		"soon":                         {13 * time.Millisecond, time.Minute, time.Hour, true, 13 * time.Millisecond},
		"later":                        {3 * time.Second, time.Minute, time.Hour, true, 3 * time.Second},
		"at the limit":                 {7 * time.Second, 7 * time.Second, time.Hour, true, 7 * time.Second},
		"the context ends":             {time.Minute, time.Hour, 10 * time.Second, false, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.cancelled)
				defer cancel()
				began, calls := time.Now(), 0
				got := poll.Poll(ctx, tt.limit, after(tt.holdsAfter, &calls))
				took := time.Since(began)
				if got != tt.want || took < tt.takes || took > tt.takes+max(tt.takes/50, 5*time.Millisecond) {
					t.Errorf("%t after %s, want %t after %s", got, took, tt.want, tt.takes)
				}
				if calls > 220+int(took/(90*time.Millisecond)) { // 50 to 250 ms, and 150 more to 5 s
					t.Errorf("%d calls in %s", calls, took)
				}
			})
		})
	}
}

// failing is a test whose failure is looked at.
type failing struct {
	testing.TB
	text string
	args []any
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(text string, args ...any) { f.text, f.args = text, args }

// A failure tells what was waited for, how long, and what was seen last.
func TestFailureTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &failing{TB: t}
		looks := 0
		poll.Seen(f, time.Second, "the third state", func() (string, bool) { looks++; return "state 2", false })
		if f.text == "" || len(f.args) != 3 || f.args[0] != time.Second || f.args[1] != "the third state" || f.args[2] != "state 2" {
			t.Errorf("after %d looks: %q %v", looks, f.text, f.args)
		}
	})
}
