package server_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/server"
)

// errDriver has the kind of text that a driver puts into its errors. No answer may
// hold any of it, whoever reads.
var errDriver = errors.New("user=canary password=canary host=canary.internal")

// source is a monitor that stands still.
type source struct {
	view *health.View
	idle time.Duration
}

func (s *source) View() *health.View  { return s.view.At(time.Now()) }
func (s *source) Idle() time.Duration { return s.idle }

// history is what each service's checks came to, the oldest first.
type history map[string][]step

type step struct {
	ago   time.Duration
	fault *health.Fault
}

// period is the time between two checks.
const period = 5 * time.Second

// steadily is a service that was found the same ever since it is watched.
func steadily(fault *health.Fault) []step { return []step{{period, fault}, {time.Second, fault}} }

// failing is a service that was healthy until it failed, some time ago.
func failing(ago time.Duration, fault *health.Fault) []step {
	steps := []step{{ago + period, nil}}
	for ; ago > 0; ago -= period {
		steps = append(steps, step{ago, fault})
	}
	return steps
}

func fault(reason health.Reason) *health.Fault {
	return &health.Fault{Reason: reason, Err: errDriver}
}

func allWell() history {
	return history{
		"database": steadily(nil), "redis": steadily(nil), "minio": steadily(nil), "ollama": steadily(nil),
	}
}

// but returns the history with one service's replaced.
func (h history) but(name string, steps []step) history {
	h[name] = steps
	return h
}

// view replays the history up to the present moment. A service with no steps is
// unknown.
func (h history) view(databaseGrace time.Duration) *health.View {
	now := time.Now().In(time.FixedZone("", 2*60*60)) // answers are in UTC, wherever we are
	var results []health.Result
	for _, svc := range services(databaseGrace) {
		r := health.NewResult(svc, now)
		if steps := h[svc.Name]; len(steps) > 0 {
			r = health.NewResult(svc, now.Add(-time.Hour))
			for _, step := range steps {
				r = r.Next(outcome(svc.Name, now.Add(-step.ago), step.fault))
			}
		}
		results = append(results, r)
	}
	return health.NewView(now, results, health.NoOverride, false)
}

func outcome(name string, at time.Time, fault *health.Fault) health.Outcome {
	facts := observations[name]
	if fault != nil && fault.Reason.Severity() != health.Impaired {
		facts = health.Observation{}
	}
	took := observations[name].Latency + 250*time.Microsecond
	return health.Outcome{Started: at.Add(-took), Finished: at, Observation: facts, Fault: fault}
}

// services has the defaults of the contract.
func services(databaseGrace time.Duration) []*health.Service {
	service := func(name string, interval, timeout time.Duration) *health.Service {
		return &health.Service{
			Name: name, Interval: interval, Timeout: timeout,
			FailureThreshold: 2, SuccessThreshold: 1, Readiness: health.Ignore,
		}
	}
	database := service("database", 5*time.Second, 2*time.Second)
	database.Readiness, database.ReadinessGrace = health.Strict, databaseGrace
	return []*health.Service{
		database,
		service("redis", 5*time.Second, 2*time.Second),
		service("minio", 10*time.Second, 2*time.Second),
		service("ollama", 10*time.Second, 5*time.Second),
	}
}

// observations are the contract's details of every service.
var observations = map[string]health.Observation{
	"database": {Latency: 1234 * time.Microsecond, Measures: []health.Measure{
		health.Number("pool_size", 2),
		health.Number("pool_free", 2),
		health.Number("pool_active", 0),
		health.Text("database", "reims_production"),
		health.Text("version", "PostgreSQL 15.2"),
	}},
	"redis": {Latency: 412 * time.Microsecond, Measures: []health.Measure{
		health.Bytes("memory_usage", 1_101_005),
		health.Bytes("memory_peak", 3<<30),
		health.Number("connected_clients", 17),
		health.Number("total_commands", 8_123_456_789),
		health.Text("version", "7.0.15"),
	}},
	"minio": {Latency: 8750 * time.Microsecond, Measures: []health.Measure{
		health.Number("buckets_count", 2),
		health.List("buckets", []string{"reims-reports", "reims-uploads"}),
		health.Text("endpoint", "minio.storage:9000"),
		health.Flag("secure", true),
	}},
	"ollama": {Latency: 3100 * time.Microsecond, Measures: []health.Measure{
		health.Number("models_count", 1),
		health.List("models", []string{"llama3:latest"}),
		health.Text("endpoint", "http://ollama.models:11434"),
		health.Number("status_code", 200),
	}},
}

// token is what a reader must hold, where a test gives no other.
const token = "s3cret"

func newHandler(v *health.View, details server.Details) *server.Handler {
	return server.NewHandler(&source{view: v}, server.Options{
		Details: details,
		Token:   func() string { return token },
	})
}

// request asks h; headers are names and values in turn.
func request(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	return request(h, http.MethodGet, target, headers...)
}
