package health

import "time"

// alarm is a timer that measures how late it is noticed: how long this process was
// not given the CPU when it was due.
type alarm struct {
	*time.Timer
	due   time.Time
	since time.Time     // when measuring began, see restart
	late  time.Duration // in all, since then
}

func newAlarm() *alarm { return &alarm{Timer: time.NewTimer(0)} }

// restart begins a new measurement.
func (a *alarm) restart() { a.since, a.late = time.Now(), 0 }

func (a *alarm) set(d time.Duration) {
	a.due = time.Now().Add(d)
	a.Reset(d)
}

// noticed accounts for being awake now; once for each time it was set. Being awake
// before the alarm is on time.
func (a *alarm) noticed() {
	if !a.due.IsZero() {
		a.late += max(0, time.Since(a.due))
	}
	a.due = time.Time{}
}
