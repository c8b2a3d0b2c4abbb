package postgres_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
)

// However many sidecars there are, all together read at most 20,000 rows per second to count the
// server's connections; few of them count at each check.
func TestConnectionsAreCountedWithinABudget(t *testing.T) {
	t.Parallel()
	const interval, checks = 5 * time.Second, 2000
	for _, tt := range []struct {
		sidecars    int
		connections int64
		least, most int // counts
	}{
		{1, 100, checks, checks},
		{10, 10_000, checks, checks},
		{300, 300, checks, checks},
		{1000, 1000, 195, 205},      // each 50 s
		{5000, 5000, 8, 9},          // each 1,250 s
		{0, 10_000, checks, checks}, // how many sidecars there are is not known
		{1000, 10_000, 19, 21},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s postgres.UsedSchedule
			counts, sidecars := 0, 0
			for range checks {
				used, known := s.Check(tt.sidecars, tt.connections)
				if used {
					counts++
				}
				if known {
					sidecars++
				}
				time.Sleep(interval)
			}
			if rows := tt.sidecars * sidecars * int(tt.connections); tt.sidecars > 0 && sidecars > 1+checks/6 || sidecars > 8 && rows > 1100*checks*5 {
				t.Errorf("%d sidecars, %d connections: the sidecars were counted %d times in %d checks", tt.sidecars, tt.connections, sidecars, checks)
			}
			if counts < tt.least || counts > tt.most {
				t.Errorf("%d sidecars, %d connections: %d counts in %d checks, want %d to %d", tt.sidecars, tt.connections, counts, checks, tt.least, tt.most)
			}
		})
	}
}

// A server that is back is not counted by all sidecars at once, if there are many.
func TestConnectionsAreNotCountedByAllAtOnce(t *testing.T) {
	t.Parallel()
	for sidecars, most := range map[int]int{100: 100, 1000: 200} {
		synctest.Test(t, func(t *testing.T) {
			counts := 0
			for range sidecars {
				var s postgres.UsedSchedule
				s.Check(sidecars, int64(sidecars))
				s.Fail()
				time.Sleep(time.Millisecond)
				if used, _ := s.Check(sidecars, int64(sidecars)); used {
					counts++
				}
			}
			if counts > most {
				t.Errorf("%d of %d sidecars count in the first check after a failure", counts, sidecars)
			}
			if sidecars == 100 && counts < sidecars {
				t.Errorf("%d of %d sidecars count, though they are few", counts, sidecars)
			}
		})
	}
}
