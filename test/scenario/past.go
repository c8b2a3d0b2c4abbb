package scenario

import (
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/dependency/s3"

	"github.com/reims/reims-health/pkg/health"
	past "github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/statuspage"
)

// event is the end of one check.
type event struct {
	service int
	at      time.Time
	fault   *health.Fault
}

// Remembered tells a history the scenario's checks one by one, as a monitor would,
// and returns the last view.
func (s Scenario) Remembered() (*health.View, *past.History) {
	now, all := time.Now(), Services(s.Grace)
	var results []health.Result
	var events []event
	for i, svc := range all {
		began := now
		if steps := s.History[svc.Name]; len(steps) > 0 {
			began = now.Add(-steps[0].Ago - time.Second)
			for _, step := range steps {
				events = append(events, event{i, now.Add(-step.Ago), step.Fault})
			}
		}
		results = append(results, health.NewResult(svc, began))
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	told := past.New(all)
	latest := now.Add(-time.Hour)
	told.Observe(health.NewView(latest, results, health.NoOverride, false))
	for n, e := range events {
		o := Outcome(all[e.service].Name, e.at, e.fault)
		o.Observation.Latency += o.Observation.Latency * time.Duration(n*7%11) / 10
		results[e.service] = results[e.service].Next(o)
		latest = e.at
		told.Observe(health.NewView(latest, results, health.NoOverride, false))
	}
	last := health.NewView(latest, s.told(results, now), s.Override, s.Draining).At(now)
	told.Observe(last)
	return last, told
}

// Instance is the name of the Pod that the page tells.
const Instance = "api-7c9f4-x2lqz"

// Handler serves the scenario with the page.
func (s Scenario) Handler(details server.Details) *server.Handler {
	last, told := s.Remembered()
	return WithPage(&Monitor{last, s.Idle}, told, details)
}

// WithPage serves what a source and a history have, with the page.
func WithPage(source server.Source, told server.History, details server.Details) *server.Handler {
	return server.NewHandler(source, server.Options{
		Details: details, History: told, Page: NewPage(source, told, details),
		Token: func() string { return Token },
	})
}

// NewPage returns the page alone.
func NewPage(source server.Source, told server.History, details server.Details) *statuspage.Page {
	return statuspage.New(source, told, statuspage.Options{
		Details: statuspage.Details(details), Instance: Instance, Version: "v1.2.3",
	})
}

// Busy is a service that is probed every few seconds for a while, and fails where
// fault says so.
func Busy(ago, period time.Duration, fault func(ago time.Duration) *health.Fault) []Step {
	var steps []Step
	for ; ago > 0; ago -= period {
		steps = append(steps, Step{ago, fault(ago)})
	}
	return steps
}

// Between is a fault that lasted for a while.
func Between(from, to time.Duration, f *health.Fault) func(time.Duration) *health.Fault {
	return func(ago time.Duration) *health.Fault {
		if ago <= from && ago > to {
			return f
		}
		return nil
	}
}

// AnHour is one with an outage of the database, over by now, and one of MinIO, that
// goes on.
func AnHour() Scenario {
	return Scenario{History: History{
		"database": Busy(time.Hour-time.Second, 5*time.Second, Between(20*time.Minute, 17*time.Minute, Fault(health.ReasonRefused))),
		"redis":    Busy(time.Hour-2*time.Second, 5*time.Second, Between(0, 0, nil)),
		"minio": Busy(time.Hour-3*time.Second, 10*time.Second, Between(4*time.Minute, 0, &health.Fault{
			Reason: s3.ReasonBucketMissing, Message: "missing: reims-archive", Err: ErrDriver,
		})),
		"ollama": Busy(30*time.Minute, 10*time.Second, Between(0, 0, nil)),
	}}
}
