package health

import "time"

// alarm is a timer that measures how late it is noticed: how long this process was
// not given the CPU when it was due. Time in which none is set counts as well, to
// leave no gap: whoever uses it has next to nothing to do then.
type alarm struct {
	*time.Timer
	due   time.Time
	since time.Time     // when measuring began, see restart
	late  time.Duration // in all, since then
}

func newAlarm() *alarm {
	a := &alarm{Timer: time.NewTimer(0)}
	a.restart()
	return a
}

// restart begins a new measurement.
func (a *alarm) restart() {
	a.since = time.Now()
	a.due, a.late = a.since, 0
}

func (a *alarm) set(d time.Duration) {
	a.due = a.noticed().Add(d)
	a.Reset(d)
}

// noticed accounts for being awake now, the moment that it returns. Being awake
// before the alarm is on time.
func (a *alarm) noticed() time.Time {
	now := time.Now()
	a.late += max(0, now.Sub(a.due))
	a.due = now
	return now
}
