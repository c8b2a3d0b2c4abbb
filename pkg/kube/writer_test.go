package kube_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// cycle is one outage of redis and its end, each of which is reported.
func cycle(m *monitor) {
	for _, outcome := range []string{"refused", "ok"} {
		m.checks("redis", outcome)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
	}
}

// about are the requests about the Event of that reason.
func (a *api) about(reason string) (created, counted []request) {
	names := make(map[string]bool)
	for _, r := range a.events() {
		switch {
		case r.method == http.MethodPost && r.event.Reason == reason:
			names[r.event.Name] = true
			created = append(created, r)
		case r.method == http.MethodPatch && names[r.name()]:
			counted = append(counted, r)
		}
	}
	return created, counted
}

// An Event keeps its name until it is known to be there, and is counted from then on:
// an attempt whose answer got lost makes no second one.
func TestEventIsCreatedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, log, _ := wellAt(t)
		there := make(map[string]bool)
		a.answers(toEvents(true, func(r *http.Request) (int, http.Header) {
			all := a.events()
			name := all[len(all)-1].event.Name
			switch {
			case r.Method != http.MethodPost:
				return http.StatusOK, http.Header{}
			case there[name]:
				return http.StatusConflict, http.Header{}
			}
			there[name] = true
			return hangs(r)
		}))
		cycle(m)
		cycle(m)
		created, counted := a.about("DependencyUnhealthy")
		if len(there) != 2 || len(created) != 2 || len(counted) != 1 || counted[0].event.Count != 2 {
			t.Errorf("%v, then %v", created, counted)
		}
		if log.Count("kind=timeout") != 2 || log.Count("works again") != 2 || log.Count("\n") != 4 {
			t.Error(log)
		}
	})
}

// What fails to be counted is still there, and counted by the next attempt.
func TestEventIsCountedDespiteTrouble(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) (int, http.Header){
		"busy":  fails(http.StatusTooManyRequests, "Retry-After", "1"),
		"error": fails(http.StatusInternalServerError),
		"hangs": hangs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, a, _, _ := wellAt(t)
				cycle(m)
				a.answers(toEvents(true, answer))
				m.checks("redis", "refused")
				time.Sleep(jitter)
				synctest.Wait()
				a.answers(nil)
				time.Sleep(time.Minute)
				created, counted := a.about("DependencyUnhealthy")
				if len(created) != 1 || len(counted) < 2 || counted[len(counted)-1].event.Count != 2 {
					t.Errorf("%v, then %v", created, counted)
				}
			})
		})
	}
}

// A deleted Event is written again at once, which is not a failure.
func TestEventThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, log, _ := wellAt(t)
		cycle(m)
		a.answers(func(r *http.Request) (int, http.Header) {
			if r.Method == http.MethodPatch && len(a.events()) == 3 {
				return http.StatusNotFound, http.Header{}
			}
			return http.StatusOK, http.Header{}
		})
		before := len(a.conditions())
		m.checks("redis", "refused")
		time.Sleep(jitter)
		synctest.Wait()
		created, counted := a.about("DependencyUnhealthy")
		if len(created) != 2 || len(counted) != 1 || created[1].event.Count != 1 {
			t.Errorf("%v, then %v", created, counted)
		}
		time.Sleep(time.Minute)
		if n := len(a.conditions()) - before; n != 1 || log.String() != "" {
			t.Errorf("%d patches of the condition\n%s", n, log)
		}
	})
}
