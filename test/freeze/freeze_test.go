// Package freeze_test stops parts of the sidecar at any moment, and asks every reader meanwhile
// whether it shows more than is known: a service that is green though no check of it has
// succeeded for too long.
package freeze_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/history"
	"github.com/reims/reims-health/pkg/metrics"
	"github.com/reims/reims-health/pkg/peers"
	"github.com/reims/reims-health/pkg/server"
	"github.com/reims/reims-health/pkg/statuspage"
	"github.com/reims/reims-health/test/scenario"
)

var (
	schedules = flag.Int("schedules", 1000, "how many random schedules are tried")
	first     = flag.Uint64("schedule", 1, "the first of them: its number makes it again")
)

// dependency answers as its schedule says: well, refused, or not at all for a time, whether
// the check's context ends or not.
type dependency struct {
	random  *rand.Rand
	timeout time.Duration

	mu      sync.Mutex
	mode    int // what the next checks do
	changes time.Time
	known   time.Time // when the latest check returned, or had to be given up
	good    time.Time // when the latest good one returned
	begun   time.Time // of the check that is running
	running bool
}

const (
	well = iota
	refused
	frozen
)

// Check implements [health.Checker].
func (d *dependency) Check(context.Context) (health.Observation, error) {
	d.mu.Lock()
	now := time.Now()
	if !now.Before(d.changes) {
		d.mode = d.random.IntN(3)
		d.changes = now.Add(time.Duration(d.random.Int64N(int64(40 * time.Second))))
	}
	mode, hang := d.mode, time.Duration(d.random.Int64N(int64(d.timeout/4)))
	if mode == frozen {
		hang = time.Duration(d.random.Int64N(int64(time.Minute)))
	}
	d.running, d.begun = true, now
	d.mu.Unlock()

	time.Sleep(hang)

	d.mu.Lock()
	defer d.mu.Unlock()
	d.running, d.known = false, time.Now()
	switch {
	case hang > d.timeout: // it was a timeout, and another one per interval
		return health.Observation{}, nil
	case mode == refused:
		return health.Observation{}, &health.Fault{Reason: health.ReasonRefused}
	}
	d.good = d.known
	return health.Observation{}, nil
}

// truth returns since when nothing is known, and since when nothing good is.
func (d *dependency) truth(now time.Time) (known, good time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known = d.known
	if gaveUp := d.begun.Add(d.timeout); d.running && !now.Before(gaveUp) {
		known = now // a check that hangs is a timeout again and again
	}
	return known, d.good
}

// sidecar is all of it that has to do with what readers are shown.
type sidecar struct {
	random   *rand.Rand
	monitor  *health.Monitor
	services []*health.Service
	checks   map[string]*dependency
	api      http.Handler
	metrics  http.Handler

	busy sync.Mutex // held while an observer is frozen or the peers tell something
}

// newSidecar returns one with one to three services. With one, the parts that are told of
// views may freeze, and with them whatever publishes.
func newSidecar(t *testing.T, random *rand.Rand) *sidecar {
	t.Helper()
	s := &sidecar{random: random, checks: map[string]*dependency{}}
	for i := range 1 + random.IntN(3) {
		timeout := time.Duration(200+random.IntN(5000)) * time.Millisecond
		d := &dependency{random: rand.New(rand.NewPCG(random.Uint64(), 0)), timeout: timeout, known: time.Now(), good: time.Now()}
		service := &health.Service{
			Name: fmt.Sprintf("service%d", i), Checker: d,
			Interval: time.Duration(1+random.IntN(10)) * time.Second, Timeout: timeout,
			FailureThreshold: 1 + random.IntN(3), SuccessThreshold: 1 + random.IntN(2), Readiness: health.PolicyStrict,
		}
		if random.IntN(2) == 0 {
			service.SharedFault, service.PeersTimeout = health.SharedFaultHold, time.Second
		}
		s.services, s.checks[service.Name] = append(s.services, service), d
	}
	monitor, err := health.NewMonitor(s.services)
	if err != nil {
		t.Fatal(err)
	}
	s.monitor = monitor
	past := history.New(s.services)
	page := statuspage.New(monitor, past, statuspage.Options{Details: statuspage.Details(server.Full)})
	handler := server.NewHandler(monitor, server.Options{
		Details: server.Full, History: past, Page: page, Peer: peers.NewHandler(monitor.View, peers.NewInstance()),
	})
	prometheus := metrics.New(metrics.BuildInfo{}, s.services, monitor.View, slog.New(slog.DiscardHandler))
	s.api, s.metrics = handler, prometheus.Handler()
	observers := []func(*health.View){handler.Publish, prometheus.Observe}
	if len(s.services) == 1 {
		at := random.IntN(3) // before, between or after the others
		observers = append(observers[:at], append([]func(*health.View){s.freeze}, observers[at:]...)...)
	}
	monitor.Subscribe(observers...)
	return s
}

// freeze is an observer that does not return for a time, now and then.
func (s *sidecar) freeze(*health.View) {
	if s.random.IntN(8) > 0 || !s.busy.TryLock() {
		return
	}
	defer s.busy.Unlock()
	time.Sleep(time.Duration(s.random.Int64N(int64(90 * time.Second))))
}

// tell has the peers say something about a fault, or nothing for a time.
func (s *sidecar) tell(random *rand.Rand) {
	// What freezes holds the monitor's lock, and for a lock no fake clock goes on: nothing is
	// told while it is held, and nothing that is told freezes.
	if !s.busy.TryLock() {
		return
	}
	defer s.busy.Unlock()
	service := s.services[random.IntN(len(s.services))]
	r, _ := s.monitor.View().Service(service.Name)
	scopes := health.Scopes()
	s.monitor.Found(service.Name, health.Finding{
		Scope: scopes[random.IntN(len(scopes))], Asked: 3, Failing: 2, Since: r.FailingSince(), At: time.Now(),
	})
}

// green are the services that a reader is shown as well, by reader.
func (s *sidecar) green(t *testing.T, random *rand.Rand) map[string][]string {
	t.Helper()
	shown := map[string][]string{}
	add := func(reader, service string, green bool) {
		if green {
			shown[reader] = append(shown[reader], service)
		}
	}
	var all struct{ Services map[string]string }
	decode(t, s.api, "/health", &all)
	var told struct {
		Services map[string]struct {
			Status string
			Age    *int64 `json:"ok_age_ms"`
		}
	}
	decode(t, s.api, "/health/peer", &told)
	text := scenario.Get(s.api, "/health?verbose").Body.String()
	ready := scenario.Get(s.api, "/health/ready").Code == http.StatusOK
	var scrape, page string
	if random.IntN(40) == 0 { // these cost the most by far
		scrape = scenario.Get(s.metrics, "/metrics").Body.String()
		page = scenario.Get(s.api, "/").Body.String()
	}
	for _, service := range s.services {
		name := service.Name
		add("/health", name, all.Services[name] == "healthy")
		add("/health/NAME", name, scenario.Get(s.api, "/health/"+name).Code == http.StatusOK)
		add("/health?verbose", name, strings.Contains(text, "[+]"+name+" ok"))
		add("/health/ready", name, ready && service.SharedFault == "")
		add("/metrics", name, strings.Contains(scrape, `reims_service_health{service="`+name+`"} 1`))
		add("the page", name, strings.Contains(page, "Every service is healthy"))
		peer := told.Services[name]
		add("/health/peer", name, peer.Status == "healthy")
		if peer.Age != nil {
			_, good := s.checks[name].truth(time.Now())
			if age := time.Since(good); age > time.Duration(*peer.Age)*time.Millisecond {
				t.Errorf("peers are told that %s was well %d ms ago, and it was %s ago", name, *peer.Age, age)
			}
		}
	}
	return shown
}

func decode(t *testing.T, h http.Handler, path string, to any) {
	t.Helper()
	if err := json.Unmarshal(scenario.Get(h, path).Body.Bytes(), to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// check holds what readers are shown against the truth.
func (s *sidecar) check(t *testing.T, shown map[string][]string, held bool) (greens int) {
	t.Helper()
	now := time.Now()
	for reader, names := range shown {
		for _, name := range names {
			service, d := s.service(name), s.checks[name]
			known, good := d.truth(now)
			// The age of a result; and one such age per failure that it takes.
			limit := 2*service.Interval + service.Timeout
			if age := now.Sub(known); age > limit {
				t.Errorf("%s shows %s as well, of which nothing is known for %s; at most %s are promised", reader, name, age, limit)
			}
			if age, most := now.Sub(good), time.Duration(service.FailureThreshold)*limit; age > most {
				t.Errorf("%s shows %s as well, which was well %s ago; at most %s are promised", reader, name, age, most)
			}
			greens++
		}
	}
	if held {
		for _, service := range s.services {
			known, _ := s.checks[service.Name].truth(now)
			if limit := 2*service.Interval + service.Timeout; now.Sub(known) > limit {
				t.Errorf("/health/ready is 200, and nothing is known of %s for %s", service.Name, now.Sub(known))
			}
		}
	}
	return greens
}

func (s *sidecar) service(name string) *health.Service {
	for _, service := range s.services {
		if service.Name == name {
			return service
		}
	}
	return nil
}

// TestNoStaleGreen runs random schedules under a fake clock: checks that hang, observers that do
// not return, peers that say anything or nothing, and a scheduler that ends. At random moments each
// reader is asked.
func TestNoStaleGreen(t *testing.T) {
	var greens int
	for n := *first; n < *first+uint64(*schedules) && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) { greens += schedule(t, rand.New(rand.NewPCG(n, n))) })
		if t.Failed() {
			t.Logf("schedule %d: go test ./test/freeze -schedule %d -schedules 1", n, n)
		}
	}
	t.Logf("%d schedules, in which readers showed a service as well %d times", *schedules, greens)
	if greens < 20*(*schedules) {
		t.Errorf("%d times were shown as well: the schedules test too little", greens)
	}
}

// schedule runs one, and returns how often a service was shown as well.
func schedule(t *testing.T, random *rand.Rand) (greens int) {
	t.Helper()
	s := newSidecar(t, random)
	reading := rand.New(rand.NewPCG(random.Uint64(), 0))
	ends := time.Duration(random.Int64N(int64(6 * time.Minute))) // of the scheduler; often after the last look
	ctx, cancel := context.WithTimeout(t.Context(), ends)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { _ = s.monitor.Start(ctx) }) // its error names checks that hang
	for range 40 {
		time.Sleep(time.Duration(reading.Int64N(int64(10 * time.Second))))
		synctest.Wait()
		if reading.IntN(3) == 0 {
			s.tell(reading)
		}
		ready := scenario.Get(s.api, "/health/ready").Code == http.StatusOK
		greens += s.check(t, s.green(t, reading), ready)
	}
	cancel()
	running.Wait()
	time.Sleep(2 * time.Minute) // for checks that hang
	return greens
}
