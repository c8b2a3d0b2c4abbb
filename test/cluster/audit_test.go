//go:build e2e

package cluster_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// auditEvent is what the API server notes of a request, as far as it matters here.
type auditEvent struct {
	Verb       string
	RequestURI string
	At         time.Time `json:"requestReceivedTimestamp"`
	User       struct{ Extra map[string][]string }
}

// by tells whether the Pod's own token was used.
func (e auditEvent) by(p *corev1.Pod) bool {
	return strings.Join(e.User.Extra["authentication.kubernetes.io/pod-uid"], "") == string(p.UID)
}

// wrote holds how often each Pod wrote to the API server since a change against what
// is promised for one. It counts requests: those that failed or changed nothing too.
func (i *installation) wrote(since time.Time, change string) {
	i.t.Helper()
	if env.auditLog == "" {
		steps.notRun(i.t, change+": writes to the API server", "needs its audit log")
		return
	}
	log, err := os.ReadFile(env.auditLog)
	if err != nil {
		i.t.Fatal(err)
	}
	whole := log[:bytes.LastIndexByte(log, '\n')+1]
	for n, p := range app(i.pods.now()) {
		var writes []string
		for line := range bytes.Lines(whole) {
			if e := decode[auditEvent](i.t, line); e.by(p) && !e.At.Before(since) {
				writes = append(writes, fmt.Sprintf("%s %s", e.Verb, e.RequestURI))
			}
		}
		i.t.Logf("%s wrote %q", p.Name, writes)
		steps.compare(i.t, fmt.Sprintf("%s: writes of Pod %d to the API server", change, n+1), float64(len(writes)), 2, "requests")
		if len(writes) == 0 {
			i.t.Errorf("the audit log has no write of %s, and its condition changed", p.Name)
		}
	}
}
