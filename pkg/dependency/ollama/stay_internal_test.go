package ollama

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// simulatedStay is Ollama's rule: a use that names no session keeps the model for
// the session that the last one named.
type simulatedStay struct {
	session time.Duration
	expires time.Time
}

func (s *simulatedStay) use(now time.Time) { s.expires = now.Add(s.session) }

// Whatever its users do, asking a model neither keeps it in memory nor lets it
// leave before its time.
func TestModelStayIsNotChangedByAsking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		session := time.Duration(rapid.IntRange(10, 3600).Draw(t, "session")) * time.Second
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		untouched := simulatedStay{session: session}
		asked := simulatedStay{session: session}
		stay := modelStay{known: true}
		var next time.Time
		tries := 0

		untouched.use(now)
		asked.use(now)
		for range rapid.IntRange(1, 400).Draw(t, "looks") {
			gap := time.Duration(rapid.IntRange(9_000, 11_000).Draw(t, "gap")) * time.Millisecond
			if rapid.IntRange(0, 9).Draw(t, "use") == 0 {
				at := now.Add(gap / 2)
				if !at.Before(untouched.expires) || !at.Before(asked.expires) {
					wantEarlyBySeconds(t, untouched, asked)
					return
				}
				untouched.use(at)
				asked.use(at)
			}
			now = now.Add(gap)
			if late := asked.expires.Sub(untouched.expires); late > time.Second {
				t.Fatalf("after %d tries the model stays %v longer", tries, late)
			}
			if !now.Before(asked.expires) {
				wantEarlyBySeconds(t, untouched, asked)
				return
			}
			clock := now.Truncate(time.Second).Add(time.Second)
			if stay.see(asked.expires, clock) && !now.Before(next) {
				next = now.Add(inferenceInterval)
				left := stay.remaining(clock).Truncate(time.Second)
				asked.session = left
				asked.use(now)
				stay.asked(left, asked.expires)
				tries++
			}
		}
	})
}

// wantEarlyBySeconds allows for the part of a session that is over at the first
// look after a use, and for rounding.
func wantEarlyBySeconds(t *rapid.T, untouched, asked simulatedStay) {
	if early := untouched.expires.Sub(asked.expires); early > 14*time.Second {
		t.Fatalf("the model leaves %v early", early)
	}
}

func TestModelStayOfUnknownSession(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		expires [3]time.Duration // after now, at three looks ten seconds apart
		want    bool
	}{
		"no use seen":     {[3]time.Duration{10 * time.Minute, 10 * time.Minute, 10 * time.Minute}, false},
		"a use seen":      {[3]time.Duration{10 * time.Minute, 11 * time.Minute, 11 * time.Minute}, true},
		"used just now":   {[3]time.Duration{10 * time.Minute, 10 * time.Minute, 11 * time.Minute}, false},
		"loading":         {[3]time.Duration{5 * time.Minute, 310 * time.Second, 320 * time.Second}, false},
		"never leaves":    {[3]time.Duration{4 * forever, 4 * forever, 4 * forever}, true},
		"short session":   {[3]time.Duration{2 * time.Minute, 3 * time.Minute, 3 * time.Minute}, false},
		"about to leave":  {[3]time.Duration{time.Minute, 90 * time.Second, 90 * time.Second}, false},
		"in use for long": {[3]time.Duration{-time.Minute, -time.Minute, -time.Minute}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stay modelStay
			var got bool
			for i, e := range test.expires {
				got = stay.see(now.Add(e), now.Add(time.Duration(i)*10*time.Second))
			}
			if got != test.want {
				t.Errorf("see = %v, want %v", got, test.want)
			}
		})
	}
}

func TestKeepAliveSeconds(t *testing.T) {
	t.Parallel()
	for session, want := range map[time.Duration]int64{
		150*time.Second + 999*time.Millisecond: 150,
		1<<63 - 1:                              -1,
	} {
		if got := keepAliveSeconds(session); got != want {
			t.Errorf("keepAliveSeconds(%v) = %d, want %d", session, got, want)
		}
	}
}
