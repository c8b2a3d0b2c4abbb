//go:build e2e

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// readySince returns since when each Pod is what it is, ready or not, as the kubelet wrote.
func readySince(pods []*corev1.Pod) map[types.UID]time.Time {
	since := map[types.UID]time.Time{}
	for _, p := range app(pods) {
		since[p.UID] = condition(p, corev1.PodReady).LastTransitionTime.Time
	}
	return since
}

// transitions finds whether no Pod became ready or not ready since [readySince] was called,
// not even for a time in which the kubelet could write nothing.
func (i *installation) transitions(before map[types.UID]time.Time) finding {
	i.t.Helper()
	now, changed := readySince(i.pods.now()), 0
	for uid, at := range before {
		if !now[uid].Equal(at) {
			changed++
		}
	}
	return count(changed, 0, fmt.Sprintf("new lastTransitionTimes of %d Pods", len(before)))
}

// askDirectly asks each Pod's /health/ready all the time, as the kubelet does, without the
// API server. What it returns ends that, and finds whether each answer was ready.
func (i *installation) askDirectly(pods ...*corev1.Pod) (stop func() finding) {
	i.t.Helper()
	if !env.own {
		return func() finding { return finding{"Pods not asked directly: their network is not ours", true} }
	}
	ctx, cancel := context.WithCancel(i.t.Context())
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var asking sync.WaitGroup
	var answers, wrong atomic.Int64
	for _, p := range pods {
		url := fmt.Sprintf("http://%s/health/ready", net.JoinHostPort(p.Status.PodIP, strconv.Itoa(healthPort)))
		asking.Go(func() {
			for tick := time.NewTicker(200 * time.Millisecond); ; {
				text, err := readiness(ctx, client, url)
				if ctx.Err() != nil {
					tick.Stop()
					return
				}
				answers.Add(1)
				if err != nil && wrong.Add(1) <= 10 { // enough to tell why
					i.t.Logf("%s %s: %v: %s", time.Now().Format(time.RFC3339Nano), p.Name, err, text)
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	end := func() { cancel(); asking.Wait() }
	i.t.Cleanup(end)
	return func() finding {
		end()
		f := count(int(wrong.Load()), 0, fmt.Sprintf("of %d direct answers not ready", answers.Load()))
		f.ok = f.ok && answers.Load() > 0
		return f
	}
}

// readiness asks once. The error says why the Pod would not be ready.
func readiness(ctx context.Context, client *http.Client, url string) (text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}
