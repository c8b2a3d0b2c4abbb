package check_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// patience is for whatever a busy machine may take.
const patience = time.Minute

// sidecar is a running `reims-health serve`.
type sidecar struct {
	cmd     *exec.Cmd
	addr    string
	metrics string // METRICS_ADDR, as it came to be
	reading sync.WaitGroup
}

// startSidecar starts the program with these variables and returns when every service
// has a verdict.
func startSidecar(ctx context.Context, env []string) (*sidecar, error) {
	s := &sidecar{cmd: exec.Command(program, "serve")}
	s.cmd.Env = append([]string{
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_SCHEMA_CHECK=off",
		"DATABASE_PROBE_INTERVAL=500ms", "REDIS_PROBE_INTERVAL=500ms",
		"DATABASE_PROBE_TIMEOUT=5s", "REDIS_PROBE_TIMEOUT=5s", "MINIO_PROBE_TIMEOUT=5s",
	}, env...)
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan serving, 1)
	s.reading.Go(func() { readLog(log, listening) })
	select {
	case at := <-listening:
		s.addr, s.metrics = at.Addr, at.Metrics
	case <-time.After(patience):
		return nil, errors.Join(errors.New("the sidecar does not listen"), s.stop())
	}
	judged := func(h health) bool { return h.Services != nil && !strings.Contains(fmt.Sprint(h.Services), "unknown") }
	return s, s.await(ctx, judged)
}

// serving is the log record that has the addresses.
type serving struct {
	Msg     string
	Addr    string `json:"health_addr"`
	Metrics string `json:"metrics_addr"`
}

func readLog(log io.Reader, listening chan<- serving) {
	for lines := bufio.NewScanner(log); lines.Scan(); {
		var record serving
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "serving" {
			listening <- record
		}
	}
}

// health is what the tests read of /health.
type health struct {
	Status   string                     `json:"status"`
	Services map[string]string          `json:"services"`
	Details  map[string]json.RawMessage `json:"details"`
}

// await polls /health until it is as wanted.
func (s *sidecar) await(ctx context.Context, wanted func(health) bool) error {
	var h health
	ok := poll.Poll(ctx, patience, func() bool {
		answer, err := http.Get("http://" + s.addr + "/health")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		h = health{}
		return json.NewDecoder(answer.Body).Decode(&h) == nil && wanted(h)
	})
	if !ok {
		return fmt.Errorf("not as wanted within %s: /health is %+v", patience, h)
	}
	return nil
}

func (s *sidecar) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.reading.Wait()
	return s.cmd.Wait()
}
