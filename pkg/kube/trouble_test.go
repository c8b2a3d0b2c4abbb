package kube_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each kind of trouble is logged once for each of the two writes, and its end once.
// What is written then is the newest state.
func TestTroubleIsLoggedOnce(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*http.Request) (int, http.Header){
		"forbidden":    fails(http.StatusForbidden),
		"unauthorized": fails(http.StatusUnauthorized),
		"not_found":    fails(http.StatusNotFound),
		"invalid":      fails(http.StatusUnprocessableEntity),
		"refused":      fails(http.StatusBadRequest),
		"server_error": fails(http.StatusBadGateway),
		"busy":         fails(http.StatusTooManyRequests, "Retry-After", "2"),
		"timeout":      hangs,
	}
	for kind, answer := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a, log, _ := wellAt(t)
				before := len(a.all())
				a.answers(answer)
				m.checks("redis", "refused")
				time.Sleep(30 * time.Minute)
				m.checks("redis", "timeout", "minio", "refused")
				time.Sleep(30 * time.Minute)
				if n := log.count("pod reporting fails"); n != 2 || log.count("kind="+kind) != 2 {
					t.Errorf("%d lines:\n%s", n, log)
				}
				if n := len(a.all()) - before; n < 2*50 || n > 2*150 {
					t.Errorf("%d attempts in an hour", n)
				}
				a.answers(nil)
				before = len(a.all())
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := log.count("works again"); n != 2 {
					t.Errorf("%d times it works again:\n%s", n, log)
				}
				// The condition once more at the end: an attempt that was given up on may
				// have been carried out after all.
				got := a.all()[before:]
				if len(got) != 3 || got[0].condition.Reason != "RedisTimeout" || !cmp.Equal(got[2].condition, got[0].condition) {
					t.Errorf("written in the end: %+v", got)
				}
			})
		})
	}
}

// A refused connection is logged once, too.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a := newMonitor("database"), &api{}
		a.fault = errors.New("connection refused")
		log, _ := run(t, a, m)
		time.Sleep(time.Hour)
		if log.count("kind=unreachable") != 1 || log.count("\n") != 1 {
			t.Error(log)
		}
	})
}

// One write that is forbidden does not hold up the other.
func TestWritesAreIndependent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, log, _ := wellAt(t)
		a.answers(func(r *http.Request) (int, http.Header) {
			if r.Method == http.MethodPost {
				return http.StatusForbidden, http.Header{}
			}
			return http.StatusOK, http.Header{}
		})
		m.checks("redis", "refused")
		time.Sleep(10 * time.Minute)
		if n := len(a.conditions()); n != 2 {
			t.Errorf("%d patches, want the one at the start and one more", n)
		}
		if log.count("write=event") != 1 || log.count("write=condition") != 0 {
			t.Error(log)
		}
	})
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
			if low, high = min(low, 30*time.Second), min(high, 90*time.Second); gap < low || gap > high {
				t.Errorf("attempt %d came after %s, want %s to %s", i, gap, low, high)
			}
		}
	})
}

// Nobody is asked again before the time that the API server has named, not even with
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
				all := a.all()
				if len(all) != 3 || all[1].condition.Reason != "DatabaseRefused" {
					t.Fatalf("%+v", all)
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
		refused := a.all()[1].at
		a.answers(nil)
		m.checks("redis", "ok")
		time.Sleep(time.Second)
		m.checks("redis", "timeout")
		time.Sleep(10 * time.Minute)
		all := a.all()
		if len(all) < 4 || all[3].at.Sub(refused) < 5*time.Minute {
			t.Errorf("%+v", all)
		}
	})
}

// Each request ends after five seconds, and the newest state is what follows.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a := newMonitor("database"), &api{}
		a.answers(hangs)
		run(t, a, m)
		time.Sleep(jitter)
		synctest.Wait()
		for range 500 { // far more snapshots than the channel holds
			m.checks("database", "refused")
		}
		a.answers(nil)
		time.Sleep(5*time.Second + 2*time.Second + jitter)
		synctest.Wait()
		all := a.all()
		if c := all[1].condition; c.Reason != "DatabaseRefused" || all[1].at.Sub(all[0].at) > 7*time.Second {
			t.Errorf("%+v", all)
		}
	})
}
