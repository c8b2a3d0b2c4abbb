package ollama

import "time"

// modelStay follows how long Ollama keeps a model in memory, so that asking it
// changes nothing for its users.
//
// Each use keeps a model for its session, five minutes by default, and a request
// that names no session prolongs the stay: asked once per minute, a model would
// never leave. A request that names what is left of the stay does not, but that
// then is the session of all that follow, and with every request it would
// shrink, until a model leaves while it is in use. So modelStay remembers the
// session that the users chose, and computes from it when the model would leave
// had we never asked.
type modelStay struct {
	known   bool          // whether session is: a use of the model was seen
	session time.Duration // that the users chose
	current time.Duration // that our last request left, zero before the first
	leaves  time.Time     // when the model would leave had we never asked
	expires time.Time     // when it leaves, as last seen
	seen    time.Time     // when that was
	ours    time.Time     // where our last request put expires, zero if unknown
}

const (
	// lastTry is how long before the model leaves it is last asked, and half of the
	// shortest session that is touched at all. Who uses the model after we asked it
	// so gets a session that lasts until we ask again, a minute later, and restore
	// the users' own; there has to be as much of that left then.
	lastTry = 2 * time.Minute
	// forever is beyond any session but that of a model that never leaves.
	forever = 365 * 24 * time.Hour
)

// see takes in what Ollama says at now, by its own clock, and reports whether the
// model may be asked.
func (s *modelStay) see(expires, now time.Time) bool {
	first, moved, elapsed := s.expires.IsZero(), expires.Sub(s.expires), now.Sub(s.seen)
	s.expires, s.seen = expires, now
	if s.current > 0 && s.ours.IsZero() {
		s.ours = expires
	}
	if moved != 0 && !expires.Equal(s.ours) {
		s.known = s.known || (!first && moved > 0) || expires.Sub(now) > forever
		s.used(expires.Sub(now))
	}
	// While a model is being loaded, or used for the first time, its expiry moves
	// with the clock. To ask it then is to wait for that.
	busy := first || moved > elapsed/2
	return s.known && !busy && s.session >= 2*lastTry && s.remaining(now) >= lastTry
}

// used takes in that others have used the model since we last asked it, and have
// left this much of its stay.
func (s *modelStay) used(left time.Duration) {
	switch {
	case s.current == 0:
		s.session, s.leaves = left, s.expires
	case left > s.current: // they named a session
		s.session, s.current, s.leaves = left, left, s.expires
	default:
		s.leaves = s.expires.Add(s.session - s.current)
	}
}

// remaining returns the session to ask with.
func (s *modelStay) remaining(now time.Time) time.Duration { return s.leaves.Sub(now) }

// asked takes in that a request with that session has ended, and that the model
// leaves at expires now. That has not moved if Ollama has yet to note the end.
func (s *modelStay) asked(session time.Duration, expires time.Time) {
	s.current, s.ours = session, expires
	if expires.Equal(s.expires) {
		s.ours = time.Time{}
	}
}

// keepAliveSeconds returns a session as Ollama takes it. A stay without end has a
// value of its own; as a number of seconds it would overflow there.
func keepAliveSeconds(session time.Duration) int64 {
	if session > forever {
		return -1
	}
	return int64(session / time.Second)
}
