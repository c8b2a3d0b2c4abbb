package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// answer is a response of the health server.
type answer struct {
	code   int
	header http.Header
	body   string
	json   struct {
		Success  *bool
		Status   string
		Services map[string]string
		Details  map[string]json.RawMessage
	}
}

// detail is what the details of any service may hold.
type detail struct {
	Reason              string
	Message             string
	ConsecutiveFailures int       `json:"consecutive_failures"`
	LatencyMs           float64   `json:"latency_ms"`
	Since               time.Time `json:"since"`
	CheckedAt           time.Time `json:"checked_at"`
}

// detail returns the details of one service in an answer of /health.
func (a answer) detail(service string) (d detail) {
	_ = json.Unmarshal(a.json.Details[service], &d)
	return d
}

// healthy reports whether these services are.
func (a answer) healthy(services ...string) bool {
	for _, service := range services {
		if a.json.Services[service] != "healthy" {
			return false
		}
	}
	return true
}

func isOK(a answer) bool { return a.code == 200 }

func allHealthy(a answer) bool { return a.healthy(services...) }

// fetch sends a request, with headers as pairs of name and value. Whatever comes
// back must hold no secret.
func (s *sidecar) fetch(method, url string, headers ...string) (a answer, err error) {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return a, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a.code, a.header, a.body = response.StatusCode, response.Header, string(body)
	s.secrets.check(s.t, url, fmt.Sprint(a.header, a.body))
	_ = json.Unmarshal(body, &a.json)
	return a, err
}

func (s *sidecar) get(path string, headers ...string) answer {
	s.t.Helper()
	a, err := s.fetch(http.MethodGet, s.health+path, headers...)
	if err != nil {
		s.t.Fatalf("GET %s: %v", path, err)
	}
	return a
}

// await polls until the answer to a path is as wanted, and returns it and how long
// that took.
func (s *sidecar) await(path string, within time.Duration, wanted func(answer) bool) (answer, time.Duration) {
	s.t.Helper()
	begin := time.Now()
	var last answer
	ok := poll.Poll(s.t.Context(), within, func() bool {
		last = s.get(path)
		return wanted(last)
	})
	if !ok {
		s.t.Fatalf("GET %s is not as wanted after %s: %d %s", path, within, last.code, last.body)
	}
	return last, time.Since(begin)
}

// awaitService waits for a service's status and, unless it is "", reason.
func (s *sidecar) awaitService(service, status, reason string, within time.Duration) (answer, time.Duration) {
	s.t.Helper()
	return s.await("/health", within, func(a answer) bool {
		return a.json.Services[service] == status && (reason == "" || a.detail(service).Reason == reason)
	})
}

// samples are those of a scrape, by name and labels.
type samples map[string]float64

func (s *sidecar) scrape() samples {
	s.t.Helper()
	a, err := s.fetch(http.MethodGet, s.metrics)
	if err != nil {
		s.t.Fatal(err)
	}
	all := samples{}
	for line := range strings.Lines(a.body) {
		line = strings.TrimSpace(line)
		end := strings.LastIndex(line, " ")
		if end < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			s.t.Fatalf("sample %q: %v", line, err)
		}
		all[line[:end]] = value
	}
	return all
}

// want compares one sample.
func (all samples) want(t testing.TB, name string, value float64) {
	t.Helper()
	if got, ok := all[name]; !ok || got != value {
		t.Errorf("%s: %v (there: %t), want %v", name, got, ok, value)
	}
}

// sum adds up the samples whose name and labels hold all of these.
func (all samples) sum(parts ...string) (sum float64) {
next:
	for name, value := range all {
		for _, part := range parts {
			if !strings.Contains(name, part) {
				continue next
			}
		}
		sum += value
	}
	return sum
}

// hold lets something last.
func hold(ctx context.Context, d time.Duration) { _ = poll.Pause(ctx, d) }
