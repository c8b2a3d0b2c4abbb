package kube_test

import (
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/scenario"
)

// monitor plays the monitor: each check is one more view. Every outcome decides.
type monitor struct {
	view    *health.View
	updates chan *health.View
}

// newMonitor watches services, of which the first is strict, from now on.
func newMonitor(names ...string) *monitor {
	now := time.Now()
	var results []health.Result
	for i, name := range names {
		svc := &health.Service{
			Name: name, Kind: scenario.Kind(name), Interval: 24 * time.Hour, Timeout: time.Second,
			FailureThreshold: 1, SuccessThreshold: 1, Readiness: health.PolicyIgnore,
		}
		if i == 0 {
			svc.Readiness = health.PolicyStrict
		}
		results = append(results, health.NewResult(svc, now))
	}
	m := &monitor{health.NewView(now, results, health.NoOverride, false), make(chan *health.View, 64)}
	m.updates <- m.view
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
	results := slices.Clone(m.view.Results())
	for i, r := range results {
		if r.Service.Name == service {
			results[i] = r.Next(o)
		}
	}
	m.view = health.NewView(now, results, health.NoOverride, false)
	m.publish()
}

// asksPeers has the services ask the peers whose their faults are.
func (m *monitor) asksPeers() {
	for _, r := range m.view.Results() {
		r.Service.SharedFault = health.SharedFaultHold
	}
}

// found tells what the peers told of the present fault of a service. It counts for three
// days, like a result.
func (m *monitor) found(service string, f health.Finding) {
	results := slices.Clone(m.view.Results())
	for i, r := range results {
		if r.Service.Name == service {
			results[i].Finding = f
			results[i].Finding.Since, results[i].Finding.At = r.FailingSince(), time.Now()
		}
	}
	m.view = health.NewView(time.Now(), results, health.NoOverride, false)
	m.publish()
}

// publish leaves out the oldest view where there are too many, as the real one.
func (m *monitor) publish() {
	for {
		select {
		case m.updates <- m.view:
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

// after is a view after checks, given as service and outcome in turn.
func after(checks ...string) *health.View {
	m := newMonitor("database", "redis", "minio", "ollama")
	m.checks(checks...)
	return m.view
}

// allOK is what every service needs first.
func allOK(more ...string) []string {
	return append([]string{"database", "ok", "redis", "ok", "minio", "ok", "ollama", "ok"}, more...)
}
