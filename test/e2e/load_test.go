package e2e_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reims/reims-health/test/relay"
	"github.com/reims/reims-health/test/servers"
)

// Requests cost the servers nothing: what they are asked is what the ticker asks.
// Not parallel, since it takes the whole machine.
func TestLoadIsConstant(t *testing.T) {
	const readers, during = 200, 3 * interval
	vars := bystanders.env(t)
	relays := map[string]*relay.Relay{}
	for i, service := range services {
		relays[service] = startRelay(t, bystanders.addr(t, service))
		vars = append(vars, servers.At(service, relays[service].Addr())...)
		vars = with(vars, prefixes[i]+"_PROBE_TIMEOUT", "10s")
	}
	s := startSidecar(t, vars...)
	s.await("/health", confirmed, allHealthy)
	before := map[string]int64{}
	for service, r := range relays {
		before[service] = r.Requests.Load()
	}
	begin := time.Now()
	answers := s.flood(readers, 10, during)
	most := int64(time.Since(begin)/(interval*9/10)) + 2
	t.Logf("%d answers", answers)
	for service, r := range relays {
		if n := r.Requests.Load() - before[service]; n > most || n == 0 {
			t.Errorf("%s was asked %d times by %d requests, want 1 to %d", service, n, answers, most)
		}
	}
	if a := s.get("/health"); !allHealthy(a) {
		t.Errorf("afterwards: %s", a.body)
	}
	s.scrape().want(t, `reims_health_transitions_total{service="database",to="unhealthy"}`, 0)
}

// flood has readers ask again and again, each at least so often and for that long, and
// returns how many answers there were.
func (s *sidecar) flood(readers, each int, during time.Duration) int64 {
	var answers atomic.Int64
	var reading sync.WaitGroup
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: readers}}
	defer client.CloseIdleConnections()
	end := time.Now().Add(during)
	for i := range readers {
		url := s.health + []string{"/health", "/health/ready", "/health/database", "/health/live"}[i%4]
		reading.Go(func() {
			for n := 0; n < each || time.Now().Before(end); n++ {
				response, err := client.Get(url)
				if err != nil {
					s.t.Error(err)
					return
				}
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					s.t.Errorf("GET %s: %s", url, response.Status)
				}
				answers.Add(1)
			}
		})
	}
	reading.Wait()
	return answers.Load()
}
