package health_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/health"
)

// entry is one line of the naive model's history: an outcome that counted, or the
// moment at which the result went stale.
type entry struct {
	level  health.Status
	reason health.Reason
	stale  bool
}

// model is the state machine written differently: it keeps the whole history and
// looks at its last few levels.
type model struct {
	failure, success int
	history          []entry
	status           health.Status
	proven           bool
}

func (m *model) expire() {
	m.status = health.Unhealthy
	m.history = append(m.history, entry{health.Unhealthy, health.ReasonStale, true})
}

func (m *model) see(letter rune) {
	e := entry{level: health.Healthy}
	if f := faults[letter]; f != nil {
		e.reason = f.Reason
	}
	switch {
	case letter == 'D', letter == 'P', letter == 'S' && m.proven:
		e.level = health.Degraded
	case letter != 'H':
		e.level = health.Unhealthy
	}
	m.proven = m.proven || letter == 'H' || letter == 'D'
	m.history = append(m.history, e)
	m.decide(e.level)
}

func (m *model) decide(latest health.Status) {
	levels := m.levels()
	if len(levels) == 1 {
		m.status = latest
		return
	}
	if n := len(levels) - m.failure; n >= 0 {
		m.status = max(m.status, slices.Min(levels[n:]))
	}
	if n := len(levels) - m.success; n >= 0 {
		m.status = min(m.status, slices.Max(levels[n:]))
	}
}

// levels are those of the outcomes, without the gaps.
func (m *model) levels() (levels []health.Status) {
	for _, e := range m.history {
		if !e.stale {
			levels = append(levels, e.level)
		}
	}
	return levels
}

func (m *model) reason() health.Reason {
	if m.status == health.Unknown {
		return health.ReasonNoResult
	}
	for _, e := range slices.Backward(m.history) {
		if e.level == m.status {
			return e.reason
		}
	}
	return ""
}

func (m *model) failures() (n int) {
	for _, level := range slices.Backward(m.levels()) {
		if level == health.Healthy {
			break
		}
		n++
	}
	return n
}

func (m *model) inDoubt() bool {
	levels := m.levels()
	return len(levels) > 0 && (m.failures() == 1 || levels[len(levels)-1] != m.status)
}

func TestNextAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		svc := drawService(t, "db")
		m := &model{failure: svc.FailureThreshold, success: svc.SuccessThreshold}
		r, now := health.NewResult(svc, epoch), epoch
		for _, letter := range drawHistory(t) {
			now = now.Add(drawGap(t, svc))
			before := r
			r = r.Next(outcome(letter, now))
			if letter != 'X' {
				if now.After(before.Expires()) {
					m.expire()
				}
				m.see(letter)
			}
			compare(t, r, m)
			checkStep(t, before, r, letter, now)
		}
	})
}

func compare(t *rapid.T, r health.Result, m *model) {
	if r.Status != m.status || r.Reason() != m.reason() || r.Proven != m.proven ||
		r.ConsecutiveFailures != m.failures() || r.InDoubt() != m.inDoubt() || int(r.Checks) != len(m.levels()) {
		t.Fatalf("got %+v in doubt %v, reason %q; the model says %s %q, proven %v, %d failures, in doubt %v",
			r, r.InDoubt(), r.Reason(), m.status, m.reason(), m.proven, m.failures(), m.inDoubt())
	}
}

// checkStep holds what must be true whatever the verdict.
func checkStep(t *rapid.T, before, after health.Result, letter rune, now time.Time) {
	if err := coherent(after); err != nil {
		t.Fatal(err)
	}
	seen := before.At(now)
	if letter == 'X' {
		seen = before
	}
	switch {
	case before.Proven && !after.Proven:
		t.Fatal("proven was taken back")
	case after.Status == seen.Status && !after.Since.Equal(seen.Since):
		t.Fatalf("since moved from %s to %s without the status", seen.Since, after.Since)
	case after.Status != seen.Status && !after.Since.Equal(now):
		t.Fatalf("the status changed at %s, since says %s", now, after.Since)
	case letter == 'H' && !after.LastSuccess.Equal(now), letter != 'H' && !after.LastSuccess.Equal(before.LastSuccess):
		t.Fatalf("last success is %s after %c at %s", after.LastSuccess, letter, now)
	case after.Checks+after.Discarded != before.Checks+before.Discarded+1:
		t.Fatal("an outcome was not counted once")
	}
	if after.Checks > 0 && after.Since.After(after.Last.Finished) {
		t.Fatalf("since %s is later than the last outcome, %s", after.Since, after.Last.Finished)
	}
}

// A result read at a moment is stale exactly when it is older than twice the
// interval and the timeout.
func TestAtIsStaleExactlyPastItsAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		svc := drawService(t, "db")
		r := final(svc, drawHistory(t))
		born := epoch
		if r.Checks > 0 {
			born = r.Last.Finished
		}
		limit := 2*svc.Interval + svc.Timeout
		age := rapid.OneOf(rapid.Just(limit), rapid.Just(limit+1), ofDuration(0, 3*limit)).Draw(t, "age")
		read := r.At(born.Add(age))
		if err := coherent(read); err != nil {
			t.Fatal(err)
		}
		if again := read.At(born.Add(age)); factsOf(again) != factsOf(read) {
			t.Fatalf("read twice: %+v, then %+v", read, again)
		}
		if age <= limit && factsOf(read) != factsOf(r) {
			t.Fatalf("changed at the age of %s of %s: %+v", age, limit, read)
		}
		if r.Checks == 0 && read.InDoubt() {
			t.Fatal("in doubt without an outcome")
		}
		if age > limit && (read.Status != health.Unhealthy || read.Reason() != health.ReasonStale || read.OK()) {
			t.Fatalf("%s %q at the age of %s, past %s", read.Status, read.Reason(), age, limit)
		}
	})
}

func drawService(t *rapid.T, name string) *health.Service {
	small := rapid.IntRange(1, 4)
	return &health.Service{
		Name:             name,
		Kind:             everyReason,
		Interval:         ofDuration(time.Millisecond, time.Minute).Draw(t, "interval"),
		Timeout:          ofDuration(time.Millisecond, time.Minute).Draw(t, "timeout"),
		FailureThreshold: small.Draw(t, "failure threshold"), SuccessThreshold: small.Draw(t, "success threshold"),
		Readiness:      rapid.SampledFrom([]health.Policy{health.PolicyStrict, health.PolicyStartup, health.PolicyIgnore}).Draw(t, "policy"),
		ReadinessGrace: rapid.OneOf(rapid.Just(time.Duration(0)), ofDuration(1, time.Minute)).Draw(t, "grace"),
	}
}

func drawHistory(t *rapid.T) string {
	anything := rapid.StringOfN(rapid.SampledFrom([]rune("HHHDUUTSPX")), 0, 40, -1)
	ending := rapid.SampledFrom([]string{"", "", "UUUU", "HUUUU"})
	return anything.Draw(t, "history") + ending.Draw(t, "ending")
}

// drawGap is mostly a usual one, at times one that lets the result go stale.
func drawGap(t *rapid.T, s *health.Service) time.Duration {
	limit := 2*s.Interval + s.Timeout
	usual := ofDuration(1, s.Interval)
	return rapid.OneOf(usual, usual, usual, ofDuration(limit, limit+2), ofDuration(limit, 3*limit)).Draw(t, "gap")
}

// ofDuration is evenly spread: rapid's own integers are mostly near an end.
func ofDuration(low, high time.Duration) *rapid.Generator[time.Duration] {
	ends := rapid.Int64Range(int64(low), int64(high))
	even := rapid.Map(rapid.Uint64(), func(seed uint64) int64 {
		return int64(low) + rand.New(rand.NewPCG(seed, 0)).Int64N(int64(high-low)+1)
	})
	return rapid.Map(rapid.OneOf(ends, even, even), func(n int64) time.Duration { return time.Duration(n) })
}
