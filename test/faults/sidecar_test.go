package faults_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// sidecar is the built program, with one service.
type sidecar struct {
	*program.Process
	t       testing.TB
	service string
	client  *http.Client
}

// startSidecar runs the program with these variables and nothing else. It ends with the test,
// and must then exit with 0. Before are commands that become the program.
func startSidecar(t testing.TB, service string, vars []servers.Var, before ...string) *sidecar {
	t.Helper()
	command := append(slices.Clip(before), built, "serve")
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "HEALTH_SERVICES=" + service,
	}
	for _, v := range vars {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	p, err := program.Serve(cmd)
	if err != nil {
		t.Fatal(err)
	}
	// No connection is kept, so that what the sidecar has open is its own.
	s := &sidecar{p, t, service, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("exit after SIGTERM: %v", err)
		}
		if t.Failed() {
			t.Logf("log of the sidecar:\n%s", s.Log())
		}
	})
	return s
}

// state is what the sidecar says of its service.
type state struct {
	code    int
	Status  string
	Details struct {
		Reason    string
		Message   string
		Failures  int       `json:"consecutive_failures"`
		CheckedAt time.Time `json:"checked_at"`
	}
}

func (s *sidecar) get(url string) (code int, body []byte) {
	s.t.Helper()
	response, err := s.client.Get(url)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, body
}

func (s *sidecar) state() (seen state) {
	s.t.Helper()
	code, body := s.get("http://" + s.Health + "/health/" + s.service)
	seen.code = code
	if err := json.Unmarshal(body, &seen); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	return seen
}

// watch looks every few milliseconds until the sidecar says what is wanted, or the limit has
// passed. It calls see, if set, with all that it saw.
func (s *sidecar) watch(limit time.Duration, see func(state), wanted func(state) bool) (last state, took time.Duration, ok bool) {
	s.t.Helper()
	began := time.Now()
	ok = poll.Poll(s.t.Context(), limit, func() bool {
		last = s.state()
		if see != nil {
			see(last)
		}
		return wanted(last)
	})
	return last, time.Since(began), ok
}

// firstFailure returns how long after a moment the first check failed; zero where none did.
func (s *sidecar) firstFailure(since time.Time) time.Duration {
	s.t.Helper()
	_, body := s.get("http://" + s.Health + "/health/history?service=" + s.service)
	var history struct {
		Services map[string]struct {
			Results []struct {
				Time   time.Time
				Reason string
			}
		}
	}
	if err := json.Unmarshal(body, &history); err != nil {
		s.t.Fatalf("%s: %v", body, err)
	}
	for _, result := range history.Services[s.service].Results {
		if result.Reason != "" && result.Time.After(since) {
			return result.Time.Sub(since)
		}
	}
	return 0
}

// metric returns a sample of /metrics.
func (s *sidecar) metric(body []byte, name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(string(body)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
			return value
		}
	}
	return 0
}

// footprint is what a leak makes grow.
type footprint struct {
	goroutines, descriptors, connections int
	resident                             int // in MB
}

// room is what may be there afterwards that was not there before: nothing that grows with each
// check, and a heap that has been collected at another moment.
var room = footprint{goroutines: 2, descriptors: 2, connections: 0, resident: 12}

func (f footprint) within(usual footprint) bool {
	return f.goroutines <= usual.goroutines+room.goroutines && f.descriptors <= usual.descriptors+room.descriptors &&
		f.connections <= usual.connections+room.connections && f.resident <= usual.resident+room.resident
}

// footprint counts the connections to the address from the kernel's own table.
func (s *sidecar) footprint(address string) footprint {
	s.t.Helper()
	_, body := s.get("http://" + s.Metrics + "/metrics")
	_, connections, err := servers.CountConnections(address)
	if err != nil {
		s.t.Fatal(err)
	}
	return footprint{
		int(s.metric(body, "go_goroutines")), int(s.metric(body, "process_open_fds")), connections,
		int(s.metric(body, "process_resident_memory_bytes")) >> 20,
	}
}
