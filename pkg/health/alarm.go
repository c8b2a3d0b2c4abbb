package health

import "time"

// alarm is a timer that measures how late it is noticed: how long this process was
// not given the CPU when it was due.
type alarm struct {
	*time.Timer
	due  time.Time
	late time.Duration // in all, since it was last reset to zero
}

func newAlarm() *alarm { return &alarm{Timer: time.NewTimer(0)} }

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
