package kube_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// toEvents lets f answer requests about Events, or else those about the condition; the
// others succeed.
func toEvents(events bool, f func(*http.Request) (int, http.Header)) func(*http.Request) (int, http.Header) {
	return func(r *http.Request) (int, http.Header) {
		if strings.Contains(r.URL.Path, "/events") == events {
			return f(r)
		}
		return http.StatusOK, http.Header{}
	}
}

// One write that fails does not hold up the other, neither at first nor while it is
// waiting for its next attempt.
func TestWritesAreIndependent(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) (int, http.Header){
		"forbidden": fails(http.StatusForbidden),
		"busy":      fails(http.StatusTooManyRequests, "Retry-After", "300"),
		"error":     fails(http.StatusInternalServerError),
	} {
		for _, events := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %t", name, events), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m, a, log, _ := wellAt(t)
					a.answers(toEvents(events, answer))
					works, write := a.events, "condition"
					if events {
						works, write = a.conditions, "event"
					}
					for _, service := range []string{"redis", "minio", "ollama"} {
						before := len(works())
						m.checks(service, "refused")
						time.Sleep(jitter)
						synctest.Wait()
						if n := len(works()) - before; n != 1 {
							t.Errorf("%s: %d requests in time", service, n)
						}
						time.Sleep(10 * time.Minute)
					}
					if log.Count("level=WARN") != 1 || log.Count("write="+write) != 1 {
						t.Error(log)
					}
				})
			})
		}
	}
}

// Flapping goes around neither the backoff nor the limit while writes fail.
func TestFlappingWhileWritesFail(t *testing.T) {
	t.Parallel()
	attempt := 0
	for name, test := range map[string]struct {
		answer func(*http.Request) (int, http.Header)
		most   int // of each write in an hour
	}{
		"error":     {fails(http.StatusInternalServerError), 100},
		"forbidden": {fails(http.StatusForbidden), 100},
		"sometimes": {func(*http.Request) (int, http.Header) {
			attempt++
			return []int{http.StatusOK, http.StatusForbidden, http.StatusInternalServerError}[attempt%3], http.Header{}
		}, 10 + 120 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a, _, _ := wellAt(t)
				a.answers(test.answer)
				for range 60 * 60 / 8 {
					m.checks("redis", "refused")
					time.Sleep(4 * time.Second)
					m.checks("redis", "ok")
					time.Sleep(4 * time.Second)
				}
				for _, n := range []int{len(a.conditions()), len(a.events())} {
					if n > test.most || n < 20 {
						t.Errorf("%d requests in an hour, want at most %d", n, test.most)
					}
				}
			})
		})
	}
}

// Attempts come ever later, and no two reporters in step.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a := newMonitor("database"), &api{}
		a.answers(fails(http.StatusInternalServerError))
		run(t, a, m)
		time.Sleep(30 * time.Minute)
		all := a.all()
		for i := 1; i < len(all); i++ {
			gap := all[i].at.Sub(all[i-1].at)
			low, high := time.Second<<min(i-1, 10)/2, time.Second<<min(i-1, 10)*3/2
			if low, high = min(low, 30*time.Second), max(jitter, min(high, 90*time.Second)); gap < low || gap > high {
				t.Errorf("attempt %d came after %s, want %s to %s", i, gap, low, high)
			}
		}
	})
}

// No write is tried again before the time that the API server has named, not even with
// something new; but that time is bounded.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code    int
		asked   string
		granted time.Duration
	}{
		{http.StatusTooManyRequests, "120", 2 * time.Minute},
		{http.StatusServiceUnavailable, "90", 90 * time.Second},
		{http.StatusTooManyRequests, "999999", 10 * time.Minute},
	} {
		t.Run(fmt.Sprint(test.code, test.asked), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a := newMonitor("database", "redis"), &api{}
				a.answers(fails(test.code, "Retry-After", test.asked))
				run(t, a, m)
				time.Sleep(jitter)
				synctest.Wait()
				if n := len(a.all()); n != 1 {
					t.Fatalf("%d attempts at first", n)
				}
				first := a.all()[0].at
				a.answers(nil)
				m.checks("database", "refused", "redis", "ok")
				time.Sleep(test.granted + time.Second)
				synctest.Wait()
				all := a.conditions()
				if len(all) != 2 || all[1].condition.Reason != "DatabaseRefused" {
					t.Fatalf("%v", all)
				}
				if gap := all[1].at.Sub(first); gap < test.granted {
					t.Errorf("asked again after %s, not %s", gap, test.granted)
				}
			})
		})
	}
}

// That holds for a change as well that comes after the refused one was undone.
func TestRetryAfterHoldsForTheNextChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, _, _ := wellAt(t)
		a.answers(fails(http.StatusTooManyRequests, "Retry-After", "300"))
		m.checks("redis", "refused")
		time.Sleep(jitter)
		synctest.Wait()
		refused := a.conditions()[1].at
		a.answers(nil)
		m.checks("redis", "ok")
		time.Sleep(time.Second)
		m.checks("redis", "timeout")
		time.Sleep(10 * time.Minute)
		all := a.conditions()
		if len(all) != 3 || all[2].at.Sub(refused) < 5*time.Minute {
			t.Errorf("%v", all)
		}
	})
}
