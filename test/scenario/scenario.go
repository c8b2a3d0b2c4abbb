package scenario

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/dependency/s3"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// Scenario is a state of the world, seen at synctest's first moment.
type Scenario struct {
	History  History
	Grace    time.Duration // of the database
	Override health.Override
	Draining bool
	Idle     time.Duration // of the scheduler
	// Peers is what the peers told of the database's fault just now; nil where none are
	// asked. Without a scope, they have not answered yet.
	Peers *health.Finding
}

// All returns the states that every answer and page is shown in, by name.
func All() map[string]Scenario {
	return map[string]Scenario{
		"starting": {},
		"healthy":  {History: AllWell()},
		"degraded": {History: History{
			"database": Failing(30*time.Second, Fault(health.ReasonTooManyConnections)),
			"redis":    Failing(30*time.Second, Fault(health.ReasonRefused)),
			"minio": Steadily(&health.Fault{
				Reason: s3.ReasonBucketMissing, Message: "missing: reims-archive", Err: ErrDriver,
			}),
			"ollama": Steadily(nil),
		}},
		"unhealthy": {History: History{
			"database": Failing(30*time.Second, Fault(health.ReasonTimeout)),
			"redis":    Steadily(nil),
			"minio":    Steadily(Fault(health.ReasonAuth)),
		}},
		"unproven":           {History: AllWell().But("database", Steadily(Fault(postgres.ReasonSchemaBehind)))},
		"in_grace":           {History: AllWell().But("database", Failing(20*time.Second, Fault(health.ReasonReset))), Grace: time.Minute},
		"override_ready":     {History: AllWell().But("database", Failing(30*time.Second, Fault(health.ReasonDNS))), Override: health.OverrideReady},
		"override_not_ready": {History: AllWell(), Override: health.OverrideNotReady},
		"draining":           {History: AllWell(), Draining: true},
		"stale":              {History: AllWell().But("database", []Step{{20 * time.Second, nil}})},
		"scheduler_stopped":  {History: AllWell(), Idle: 2 * time.Minute},
		"held":               withPeers(30*time.Second, health.Finding{Scope: health.ScopeShared, Asked: 12, Failing: 11, Sound: 1}),
		"alone":              withPeers(30*time.Second, health.Finding{Scope: health.ScopeAlone}),
		"undecided":          withPeers(8*time.Second, health.Finding{}),
		"local":              withPeers(30*time.Second, health.Finding{Scope: health.ScopeLocal, Asked: 12, Sound: 12}),
		// The peers told that the fault was shared, and then this process had no result any more.
		"stale_after_shared": {
			History: AllWell().But("database", []Step{{60 * time.Second, nil}, {55 * time.Second, Fault(health.ReasonTimeout)}, {50 * time.Second, Fault(health.ReasonTimeout)}, {45 * time.Second, Fault(health.ReasonTimeout)}}),
			Peers:   &health.Finding{Scope: health.ScopeShared, Asked: 12, Failing: 11, Sound: 1},
		},
		"unknown_scope": withPeers(30*time.Second, health.Finding{Scope: health.ScopeUnknown, Asked: 12, Failing: 2, Sound: 1}),
	}
}

// withPeers is a state in which the database fails, and peers are asked.
func withPeers(ago time.Duration, f health.Finding) Scenario {
	return Scenario{History: AllWell().But("database", Failing(ago, Fault(health.ReasonTimeout))), Peers: &f}
}

// told returns the results with what the peers told.
func (s Scenario) told(results []health.Result, now time.Time) []health.Result {
	if s.Peers == nil {
		return results
	}
	results = slices.Clone(results)
	for i, r := range results {
		service := *r.Service
		service.SharedFault = health.SharedFaultHold
		results[i].Service = &service
		if since := r.FailingSince(); r.Service.Name == "database" && s.Peers.Scope != "" {
			results[i].Finding = *s.Peers
			results[i].Finding.Since, results[i].Finding.At = since, now
		}
	}
	return results
}

// Reader is one reader of a handler with one setting of HEALTH_DETAILS.
type Reader struct {
	Details server.Details
	Token   bool // the reader holds it
}

// Readers returns every reader of every setting.
func Readers() []Reader {
	return []Reader{
		{server.Full, false},
		{server.Full, true},
		{server.Safe, false},
		{server.Safe, true},
		{server.Off, false},
		{server.Off, true},
	}
}

// Public reports whether the reader may see no names.
func (r Reader) Public() bool { return r.Details == server.Off || r.Details == server.Safe && !r.Token }

func (r Reader) String() string {
	if r.Token {
		return string(r.Details) + "+token"
	}
	return string(r.Details)
}

// Now returns the scenario's view as it is now.
func (s Scenario) Now() *health.View {
	now := s.History.View(s.Grace)
	return health.NewView(now.Time(), s.told(now.Results(), now.Time()), s.Override, s.Draining)
}

// Handlers returns what serves the scenario to each reader, without the page.
func (s Scenario) Handlers() (*health.View, map[Reader]http.Handler) {
	now := s.Now()
	handlers := map[Reader]http.Handler{}
	for _, r := range Readers() {
		handlers[r] = server.NewHandler(&Monitor{now, s.Idle}, server.Options{
			Details: r.Details, Token: func() string { return Token },
		})
	}
	return now, handlers
}

// Get asks h as the reader.
func (r Reader) Get(h http.Handler, target string) *httptest.ResponseRecorder {
	if r.Token {
		return Get(h, target, "Authorization", "Bearer "+Token)
	}
	return Get(h, target)
}
