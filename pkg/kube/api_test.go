package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/kube"
	"github.com/reims/reims-health/test/program"
)

// api is what stands where the connection to the API server would be, so that time
// can be driven. What an API server makes of the requests is apiserver_e2e_test.go's.
type api struct {
	mu       sync.Mutex
	requests []request
	// answer decides on each request; nil takes all. It may block until the
	// request's context is done.
	answer func(*http.Request) (code int, header http.Header)
	// fault is in the place of every answer.
	fault error
}

type request struct {
	at        time.Time
	method    string
	path      string
	condition corev1.PodCondition // of a patch of the status
	event     corev1.Event        // of any other
}

func (r request) String() string {
	return fmt.Sprintf("%s %s %s: %s%s %d", r.at.Format(time.TimeOnly), r.method, r.path,
		r.condition.Reason, r.event.Reason, r.event.Count)
}

// name is what a patch is of, if that is no status.
func (r request) name() string { return path.Base(r.path) }

// RoundTrip implements [http.RoundTripper].
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	seen := request{at: time.Now(), method: r.Method, path: r.URL.Path}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/status") {
		var pod corev1.Pod
		err = json.Unmarshal(body, &pod)
		seen.condition = pod.Status.Conditions[0]
	} else {
		err = json.Unmarshal(body, &seen.event)
	}
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.requests = append(a.requests, seen)
	answer := a.answer
	a.mu.Unlock()
	if a.fault != nil {
		return nil, a.fault
	}
	code, header := http.StatusOK, http.Header{}
	if answer != nil {
		code, header = answer(r)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: code, Header: header, Request: r, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func (a *api) all() []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

func (a *api) answers(f func(*http.Request) (int, http.Header)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

// conditions and events are the requests that were made for each.
func (a *api) conditions() []request {
	return slices.DeleteFunc(a.all(), func(r request) bool { return r.condition.Type == "" })
}

func (a *api) events() []request {
	return slices.DeleteFunc(a.all(), func(r request) bool { return r.condition.Type != "" })
}

// countReason is how many patches there were for that reason.
func (a *api) countReason(reason string) int {
	return len(slices.DeleteFunc(a.conditions(), func(r request) bool { return r.condition.Reason != reason }))
}

// hangs answers nothing.
func hangs(r *http.Request) (int, http.Header) {
	<-r.Context().Done()
	return 0, nil
}

func fails(code int, header ...string) func(*http.Request) (int, http.Header) {
	return func(*http.Request) (int, http.Header) {
		h := http.Header{}
		for pair := range slices.Chunk(header, 2) {
			h.Set(pair[0], pair[1])
		}
		return code, h
	}
}

// run starts a reporter of the monitor's views on the api. It returns the log, and
// what stops the reporter and waits for its end.
func run(t *testing.T, a *api, m *monitor) (log *program.Output, stop func()) {
	t.Helper()
	return runPods(t, a, m, nil)
}

// runPods is run in a workload of that many Pods.
func runPods(t *testing.T, a *api, m *monitor, pods func() int) (log *program.Output, stop func()) {
	t.Helper()
	client, err := kube.NewClient(&rest.Config{Host: "https://api.invalid", Transport: a})
	if err != nil {
		t.Fatal(err)
	}
	log = new(program.Output)
	reporter := kube.NewReporter(kube.Options{
		Client: client, Updates: m.updates, Log: slog.New(slog.NewTextHandler(log, nil)),
		Pod: types.NamespacedName{Namespace: "shop", Name: "api-0"}, UID: "3d9f", Pods: pods,
	})
	return log, start(t, reporter)
}

func start(t *testing.T, reporter *kube.Reporter) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := reporter.Start(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}
