package postgres

import (
	"testing"
	"time"
)

// What the checks read, and whether writes then count as stalled.
func TestWritesWatch(t *testing.T) {
	t.Parallel()
	type step struct {
		after time.Duration
		read  *writes
	}
	const interval = 5 * time.Second
	waiting := &writes{flushed: "0/10", started: "1", waiting: true}
	behind := func(sessions ...string) *writes {
		return &writes{flushed: "0/10", started: "1", standby: sessions}
	}
	for name, c := range map[string]struct {
		steps   []step
		stalled bool
	}{
		"the log stands still, and commits wait for it at two checks": {[]step{{0, &writes{flushed: "0/10", started: "1"}}, {interval, waiting}, {interval, waiting}}, true},
		"at two checks that are close together":                       {[]step{{0, waiting}, {interval, waiting}, {time.Second, waiting}}, false},
		"the jitter makes the interval short":                         {[]step{{0, waiting}, {interval, waiting}, {interval * 9 / 10, waiting}}, true},
		"at one check alone":                                          {[]step{{0, waiting}, {interval, waiting}}, false},
		"the log went on in between":                                  {[]step{{0, waiting}, {interval, waiting}, {interval, &writes{flushed: "0/20", started: "1", waiting: true}}}, false},
		"none waited in between":                                      {[]step{{0, waiting}, {interval, waiting}, {interval, &writes{flushed: "0/10", started: "1"}}, {interval, waiting}}, false},
		"the server restarted":                                        {[]step{{0, waiting}, {interval, waiting}, {interval, &writes{flushed: "0/10", started: "2", waiting: true}}}, false},
		"a check failed in between":                                   {[]step{{0, waiting}, {interval, waiting}, {interval, nil}, {interval, waiting}, {interval, waiting}}, false},
		"it became a standby":                                         {[]step{{0, waiting}, {interval, waiting}, {interval, &writes{started: "1"}}}, false},
		"the same commit waits for a standby":                         {[]step{{0, behind("1@1", "2@2")}, {interval, behind("2@2", "3@3")}}, true},
		"another one does":                                            {[]step{{0, behind("1@1")}, {interval, behind("2@2")}}, false},
		"another one of the same process":                             {[]step{{0, behind("1@1")}, {interval, behind("1@2")}}, false},
		"it did not wait in between":                                  {[]step{{0, behind("1@1")}, {interval, behind()}, {interval, behind("1@1")}}, false},
		"there are no more standbys":                                  {[]step{{0, behind("1@1")}, {interval, &writes{flushed: "0/10", started: "1"}}}, false},
		"the server restarted with that commit":                       {[]step{{0, behind("1@1")}, {interval, &writes{flushed: "0/10", started: "2", standby: []string{"1@1"}}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w writesWatch
			now := time.Now()
			for _, s := range c.steps {
				now = now.Add(s.after)
				w.take(now, s.read)
			}
			if err := w.judge(now); (err != nil) != c.stalled {
				t.Errorf("judge() = %v, want stalled: %t", err, c.stalled)
			}
		})
	}
}
