package scenario

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/registry"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// ErrDriver has the kind of text that a driver puts into its errors. No answer may
// hold any of it, whoever reads.
var ErrDriver = errors.New("user=canary password=canary host=canary.internal")

// Monitor is a monitor that stands still.
type Monitor struct {
	Latest  *health.View
	Stopped time.Duration
}

// View returns the latest view as it is now.
func (s *Monitor) View() *health.View { return s.Latest.At(time.Now()) }

// Idle is for how long the scheduler has been said to stand still.
func (s *Monitor) Idle() time.Duration { return s.Stopped }

// History is what each service's checks came to, the oldest first.
type History map[string][]Step

// Step is the end of one check: how long ago it was, and what it found wrong.
type Step struct {
	Ago   time.Duration
	Fault *health.Fault
}

// Period is the time between two checks.
const Period = 5 * time.Second

// Steadily is a service that was found the same ever since it is watched.
func Steadily(fault *health.Fault) []Step { return []Step{{Period, fault}, {time.Second, fault}} }

// Failing is a service that was healthy until it failed, some time ago.
func Failing(ago time.Duration, fault *health.Fault) []Step {
	steps := []Step{{ago + Period, nil}}
	for ; ago > 0; ago -= Period {
		steps = append(steps, Step{ago, fault})
	}
	return steps
}

// Fault has the reason, and the text of [ErrDriver].
func Fault(reason health.Reason) *health.Fault {
	return &health.Fault{Reason: reason, Err: ErrDriver}
}

// AllWell is a history in which every service is healthy.
func AllWell() History {
	return History{
		"database": Steadily(nil), "redis": Steadily(nil), "minio": Steadily(nil), "ollama": Steadily(nil),
	}
}

// But returns the history with one service's replaced.
func (h History) But(name string, steps []Step) History {
	h[name] = steps
	return h
}

// View replays the history up to the present moment. A service with no steps is
// unknown.
func (h History) View(databaseGrace time.Duration) *health.View {
	now := time.Now().In(time.FixedZone("", 2*60*60)) // answers are in UTC, wherever we are
	var results []health.Result
	for _, svc := range Services(databaseGrace) {
		r := health.NewResult(svc, now)
		if steps := h[svc.Name]; len(steps) > 0 {
			r = health.NewResult(svc, now.Add(-time.Hour))
			for _, step := range steps {
				r = r.Next(Outcome(svc.Name, now.Add(-step.Ago), step.Fault))
			}
		}
		results = append(results, r)
	}
	return health.NewView(now, results, health.NoOverride, false)
}

// Many is a view of so many healthy services: those of the contract, and others of their kinds.
func Many(services int) *health.View {
	v := AllWell().View(0)
	var results []health.Result
	for i := range services {
		r := v.Results()[i%len(v.Results())]
		if i >= len(v.Results()) {
			service := *r.Service
			service.Name = fmt.Sprintf("%s-%d", service.Name, i)
			r.Service = &service
		}
		results = append(results, r)
	}
	return health.NewView(v.Time(), results, health.NoOverride, false)
}

// Outcome is the end of a check of a service of the contract.
func Outcome(name string, at time.Time, fault *health.Fault) health.Outcome {
	facts := observations[name]
	if fault != nil && severityOf(name, fault.Reason) != health.SeverityImpaired {
		facts = health.Observation{}
	}
	took := observations[name].Latency + 250*time.Microsecond
	return health.Outcome{Started: at.Add(-took), Finished: at, Observation: facts, Fault: fault}
}

// Kind returns the kind of which the service of that name has always been, or nil.
func Kind(service string) *health.Kind {
	for _, k := range registry.Kinds().Described() {
		if k.Service == service {
			return k
		}
	}
	return nil
}

// Services has the defaults of the contract.
func Services(databaseGrace time.Duration) []*health.Service {
	service := func(name string, interval, timeout time.Duration) *health.Service {
		return &health.Service{
			Name: name, Kind: Kind(name), Interval: interval, Timeout: timeout,
			FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.PolicyIgnore,
			DocsURL: "https://docs.example", Words: dependency.Words(&config.Service{Name: name}),
		}
	}
	database := service("database", 5*time.Second, 2*time.Second)
	database.Readiness, database.ReadinessGrace = health.PolicyStrict, databaseGrace
	return []*health.Service{
		database,
		service("redis", 5*time.Second, 2*time.Second),
		service("minio", 10*time.Second, 2*time.Second),
		service("ollama", 10*time.Second, 5*time.Second),
	}
}

// observations are the contract's details of every service.
var observations = map[string]health.Observation{
	"database": {Latency: 1234 * time.Microsecond, Values: []health.Value{
		health.Number("pool_size", 2),
		health.Number("pool_free", 2),
		health.Number("pool_active", 0),
		health.Text("database", "reims_production"),
		health.Text("version", "PostgreSQL 15.2"),
		health.Text("endpoint", "postgres.data:5432"),
	}},
	"redis": {Latency: 412 * time.Microsecond, Values: []health.Value{
		health.Bytes("memory_usage", 1_101_005),
		health.Bytes("memory_peak", 3<<30),
		health.Number("connected_clients", 17),
		health.Number("total_commands", 8_123_456_789),
		health.Text("version", "7.0.15"),
		health.Text("endpoint", "redis.cache:6379"),
	}},
	"minio": {Latency: 8750 * time.Microsecond, Values: []health.Value{
		health.Number("buckets_count", 2),
		health.List("buckets", []string{"reims-reports", "reims-uploads"}),
		health.Text("endpoint", "minio.storage:9000"),
		health.Flag("secure", true),
	}},
	"ollama": {Latency: 3100 * time.Microsecond, Values: []health.Value{
		health.Number("models_count", 1),
		health.List("models", []string{"llama3:latest"}),
		health.Text("endpoint", "http://ollama.models:11434"),
		health.Number("status_code", 200),
	}},
}

// Token is what a reader must hold, where a test gives no other.
const Token = "s3cret"

// NewHandler serves a view, without history and page.
func NewHandler(v *health.View, details server.Details) *server.Handler {
	return server.NewHandler(&Monitor{Latest: v}, server.Options{
		Details: details,
		Token:   func() string { return Token },
	})
}

// Request asks h; headers are names and values in turn.
func Request(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Get is [Request] with GET.
func Get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return Request(h, http.MethodGet, target, headers...)
}

func severityOf(service string, r health.Reason) health.Severity {
	text, _ := Kind(service).Explain(r)
	return text.Severity
}
