package kube_test

import (
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// monitor plays the monitor: each check is one more snapshot. Every outcome decides.
type monitor struct {
	snapshot *health.Snapshot
	updates  chan *health.Snapshot
}

// newMonitor watches services, of which the first is strict, from now on.
func newMonitor(names ...string) *monitor {
	now := time.Now()
	s := &health.Snapshot{Time: now}
	for i, name := range names {
		svc := &health.Service{
			Name: name, Interval: 24 * time.Hour, Timeout: time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.Ignore,
		}
		if i == 0 {
			svc.Readiness = health.Strict
		}
		s.Results = append(s.Results, health.NewResult(svc, now))
	}
	m := &monitor{snapshot: s, updates: make(chan *health.Snapshot, 64)}
	m.updates <- s
	return m
}

// checks makes checks, given as service and outcome in turn.
func (m *monitor) checks(pairs ...string) {
	for pair := range slices.Chunk(pairs, 2) {
		m.check(pair[0], pair[1])
	}
}

// check gives a service an outcome: "ok", or the reason of a fault.
func (m *monitor) check(service, outcome string) {
	now := time.Now()
	o := health.Outcome{Started: now, Finished: now}
	if outcome != "ok" {
		// A message names things, which must not get out.
		o.Fault = &health.Fault{Reason: health.Reason(outcome), Message: "db.secret.example says: " + canary}
	}
	next := *m.snapshot
	next.Results = slices.Clone(next.Results)
	next.Time = now
	for i, r := range next.Results {
		if r.Service.Name == service {
			next.Results[i] = r.Next(o)
		}
	}
	m.snapshot = &next
	m.publish()
}

// publish leaves out the oldest snapshot where there are too many, as the real one.
func (m *monitor) publish() {
	for {
		select {
		case m.updates <- m.snapshot:
			return
		default:
		}
		select {
		case <-m.updates:
		default:
		}
	}
}

// canary is in every fault's own message and in nothing that leaves the process.
const canary = "canary-4f1c"

// after is a snapshot after checks, given as service and outcome in turn.
func after(checks ...string) *health.Snapshot {
	m := newMonitor("database", "redis", "minio", "ollama")
	m.checks(checks...)
	return m.snapshot
}

// allOK is what every service needs first.
func allOK(more ...string) []string {
	return append([]string{"database", "ok", "redis", "ok", "minio", "ok", "ollama", "ok"}, more...)
}
