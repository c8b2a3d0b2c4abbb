package kube_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each kind of failure is logged once per write, and so is its end.
// What is written then is the newest state.
func TestTroubleIsLoggedOnce(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		kind    string
		answer  func(*http.Request) (int, http.Header)
		patches int // that end it
	}{
		{"forbidden", fails(http.StatusForbidden), 1},
		{"unauthorized", fails(http.StatusUnauthorized), 1},
		{"not_found", fails(http.StatusNotFound), 1},
		{"invalid", fails(http.StatusUnprocessableEntity), 1},
		{"refused", fails(http.StatusBadRequest), 1},
		{"busy", fails(http.StatusTooManyRequests), 1},
		{"busy", fails(http.StatusTooManyRequests, "Retry-After", "2"), 1},
		// What such an attempt does may come after the one that succeeds.
		{"server_error", fails(http.StatusBadGateway), 2},
		{"timeout", hangs, 2},
	}
	for _, test := range kinds {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a, log, _ := wellAt(t)
				before := len(a.all())
				a.answers(test.answer)
				m.checks("redis", "refused")
				time.Sleep(30 * time.Minute)
				m.checks("redis", "timeout", "minio", "refused")
				time.Sleep(30 * time.Minute)
				if n := log.Count("pod reporting fails"); n != 2 || log.Count("kind="+test.kind) != 2 {
					t.Errorf("%d lines:\n%s", n, log)
				}
				if n := len(a.all()) - before; n < 2*50 || n > 2*100 {
					t.Errorf("%d attempts in an hour", n)
				}
				a.answers(nil)
				patches, events := len(a.conditions()), len(a.events())
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				if n := log.Count("works again"); n != 2 {
					t.Errorf("%d times it works again:\n%s", n, log)
				}
				got := a.conditions()[patches:]
				if len(got) != test.patches || got[0].condition.Reason != "RedisTimeout" || !cmp.Equal(got[len(got)-1].condition, got[0].condition) {
					t.Errorf("patches in the end: %v", got)
				}
				if n := len(a.events()) - events; n != 1 {
					t.Errorf("%d Events in the end", n)
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
		if log.Count("kind=unreachable") != 1 || log.Count("\n") != 1 {
			t.Error(log)
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
		for range 500 { // far more views than the channel holds
			m.checks("database", "refused")
		}
		a.answers(nil)
		time.Sleep(5*time.Second + 2*time.Second + jitter)
		synctest.Wait()
		all := a.conditions()
		if c := all[1].condition; c.Reason != "DatabaseRefused" || all[1].at.Sub(all[0].at) > 7*time.Second {
			t.Errorf("%v", all)
		}
	})
}
