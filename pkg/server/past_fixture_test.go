package server_test

import (
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
	past "github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
)

// event is the end of one check.
type event struct {
	service int
	at      time.Time
	fault   *health.Fault
}

// remembered tells a history the scenario's checks one by one, as a monitor would,
// and returns the last view.
func (s scenario) remembered() (*health.View, *past.History) {
	now, all := time.Now(), services(s.grace)
	var results []health.Result
	var events []event
	for i, svc := range all {
		began := now
		if steps := s.history[svc.Name]; len(steps) > 0 {
			began = now.Add(-steps[0].ago - time.Second)
			for _, step := range steps {
				events = append(events, event{i, now.Add(-step.ago), step.fault})
			}
		}
		results = append(results, health.NewResult(svc, began))
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	told := past.New(all)
	latest := now.Add(-time.Hour)
	told.Observe(health.NewView(latest, results, health.NoOverride, false))
	for n, e := range events {
		o := outcome(all[e.service].Name, e.at, e.fault)
		o.Observation.Latency += o.Observation.Latency * time.Duration(n*7%11) / 10
		results[e.service] = results[e.service].Next(o)
		latest = e.at
		told.Observe(health.NewView(latest, results, health.NoOverride, false))
	}
	last := health.NewView(latest, results, s.override, s.draining).At(now)
	told.Observe(last)
	return last, told
}

// instance is the name of the Pod that the page tells.
const instance = "api-7c9f4-x2lqz"

// handler serves the scenario with the page.
func (s scenario) handler(details server.Details) *server.Handler {
	last, told := s.remembered()
	return server.NewHandler(&source{last, s.idle}, server.Options{
		Details: details, History: told, Page: true, Instance: instance, Version: "v1.2.3",
		Token: func() string { return token },
	})
}

// busy is a service that is probed every few seconds for a while, and fails where
// fault says so.
func busy(ago, period time.Duration, fault func(ago time.Duration) *health.Fault) []step {
	var steps []step
	for ; ago > 0; ago -= period {
		steps = append(steps, step{ago, fault(ago)})
	}
	return steps
}

// between is a fault that lasted for a while.
func between(from, to time.Duration, f *health.Fault) func(time.Duration) *health.Fault {
	return func(ago time.Duration) *health.Fault {
		if ago <= from && ago > to {
			return f
		}
		return nil
	}
}

// anHour is one with an outage of the database, over by now, and one of MinIO, that
// goes on.
func anHour() scenario {
	return scenario{history: history{
		"database": busy(time.Hour-time.Second, 5*time.Second, between(20*time.Minute, 17*time.Minute, fault(health.Refused))),
		"redis":    busy(time.Hour-2*time.Second, 5*time.Second, between(0, 0, nil)),
		"minio": busy(time.Hour-3*time.Second, 10*time.Second, between(4*time.Minute, 0, &health.Fault{
			Reason: health.BucketMissing, Message: "missing: reims-archive", Err: errDriver,
		})),
		"ollama": busy(30*time.Minute, 10*time.Second, between(0, 0, nil)),
	}}
}
