package kube_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/kube"
)

// observer keeps what it is told.
type observer struct {
	mu       sync.Mutex
	attempts map[string]int  // by write and whether it failed
	failing  map[string]bool // by write
}

func (o *observer) Attempted(write string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attempts[fmt.Sprintf("%s %t", write, err == nil)]++
}

func (o *observer) Failing(write string, failing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failing[write] = failing
}

func (o *observer) see() (attempts map[string]int, failing string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	for _, write := range []string{"condition", "event"} {
		if o.failing[write] {
			names = append(names, write)
		}
	}
	attempts, o.attempts = o.attempts, map[string]int{}
	return attempts, strings.Join(names, " ")
}

// The observer hears of each attempt, and that reporting fails for as long as there is
// something to write that the API server does not take.
func TestObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, a, o := newMonitor("redis"), &api{}, &observer{attempts: map[string]int{}, failing: map[string]bool{}}
		client, err := kube.NewClient(&rest.Config{Host: "https://api.invalid", Transport: a})
		if err != nil {
			t.Fatal(err)
		}
		start(t, kube.NewReporter(kube.Options{
			Client: client, Updates: m.updates, Log: slog.New(slog.DiscardHandler), Observer: o,
			Pod: types.NamespacedName{Namespace: "shop", Name: "api-0"}, UID: "3d9f",
		}))
		expect := func(what string, want map[string]int, failing string) {
			t.Helper()
			synctest.Wait()
			attempts, fails := o.see()
			if diff := cmp.Diff(want, attempts); diff != "" || fails != failing {
				t.Errorf("%s: failing %q, want %q; attempts (-want +got):\n%s", what, fails, failing, diff)
			}
		}
		m.checks("redis", "ok")
		time.Sleep(time.Minute)
		// The condition says Unknown at first, unless the first result came sooner.
		synctest.Wait()
		attempts, failing := o.see()
		if n := attempts["condition true"]; n < 1 || n > 2 || len(attempts) != 1 || failing != "" {
			t.Errorf("at the start: %v, failing %q", attempts, failing)
		}
		m.checks("redis", "refused")
		time.Sleep(time.Minute)
		expect("a change", map[string]int{"condition true": 1, "event true": 1}, "")

		a.answers(fails(http.StatusForbidden))
		m.checks("redis", "ok")
		time.Sleep(3 * time.Second) // both tried at least once, for the jitter is 2 s
		synctest.Wait()
		attempts, failing = o.see()
		if attempts["condition false"] == 0 || attempts["event false"] == 0 || len(attempts) != 2 || failing != "condition event" {
			t.Errorf("forbidden: %v, failing %q", attempts, failing)
		}
		m.checks("redis", "refused") // as Kubernetes already knows: there is nothing to write
		time.Sleep(time.Second)
		expect("undone", map[string]int{}, "")

		m.checks("redis", "ok")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if attempts, failing = o.see(); attempts["event false"] < 2 || failing != "condition event" {
			t.Errorf("forbidden for long: %v, failing %q", attempts, failing)
		}
		a.answers(nil)
		time.Sleep(5 * time.Minute)
		expect("allowed again", map[string]int{"condition true": 1, "event true": 1}, "")
	})
}
