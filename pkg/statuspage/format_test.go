package statuspage_test

import (
	"testing"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/statuspage"
)

// A moment is shown as a day, with how far away it is.
func TestMomentText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 22, 30, 0, 0, time.FixedZone("", 3600))
	for away, want := range map[time.Duration]string{
		36*24*time.Hour + time.Hour:   "2027-01-03, in 36 days",
		4000 * 24 * time.Hour:         "2037-11-10, in 4\u202f000 days",
		2 * 24 * time.Hour:            "2026-11-30, in 2 days",
		2*24*time.Hour - time.Second:  "2026-11-30, in 1 d 23 h",
		5*time.Hour + 3*time.Minute:   "2026-11-29, in 5 h 3 min",
		0:                             "2026-11-28, in 0 s",
		-time.Minute:                  "2026-11-28, 1 min ago",
		-8*24*time.Hour - 3*time.Hour: "2026-11-20, 8 days ago",
	} {
		if got := statuspage.MeasureText(health.Time("x", now.Add(away)), now); got != want {
			t.Errorf("%v away: got %q, want %q", away, got, want)
		}
	}
}
