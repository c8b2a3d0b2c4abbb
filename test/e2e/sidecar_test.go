package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// The timing that the tests run with: short, and yet with room for a busy machine.
const (
	interval = time.Second
	timeout  = 800 * time.Millisecond
	slack    = 3 * time.Second
	// confirmed is the contract's bound on confirming an outage.
	confirmed = interval*11/10 + 2*timeout + time.Second + slack
)

// sidecar is a running `reims-health serve`. Whatever it answers or logs, none of
// its secrets may be in it.
type sidecar struct {
	t       testing.TB
	cmd     *exec.Cmd
	client  *http.Client
	health  string // URL of the health server
	metrics string // URL of /metrics
	secrets *secrets
	log     *lockedBuffer
	exited  chan struct{}
	waitErr error
}

// startSidecar runs the program with these variables and nothing else, and waits
// until it listens. It is stopped at the end of the test, and must then exit with 0.
func startSidecar(t testing.TB, vars ...servers.Var) *sidecar {
	t.Helper()
	return startSidecarWith(t, []string{"serve"}, vars...)
}

func startSidecarWith(t testing.TB, args []string, vars ...servers.Var) *sidecar {
	t.Helper()
	s := launchSidecar(t, args, vars...)
	t.Cleanup(s.stop)
	return s
}

// launchSidecar leaves it to the test to stop it.
func launchSidecar(t testing.TB, args []string, vars ...servers.Var) *sidecar {
	t.Helper()
	return launchProgram(t, append([]string{binary}, args...), vars...)
}

// launchProgram runs a command that becomes the sidecar.
func launchProgram(t testing.TB, command []string, vars ...servers.Var) *sidecar {
	t.Helper()
	s := &sidecar{t: t, secrets: secretsOf(t, vars), log: &lockedBuffer{}, exited: make(chan struct{})}
	// No connection is kept, so that what the sidecar has open is its own.
	s.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Env = environ(vars)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan struct{})
	var reading, waiting sync.WaitGroup
	reading.Go(func() { s.read(stderr, listening) })
	waiting.Go(func() {
		reading.Wait()
		s.waitErr = s.cmd.Wait()
		close(s.exited)
	})
	t.Cleanup(waiting.Wait)
	select {
	case <-listening:
	case <-s.exited:
		t.Fatalf("the sidecar exited: %v\n%s", s.waitErr, s.log)
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		t.Fatalf("the sidecar does not listen\n%s", s.log)
	}
	return s
}

func environ(vars []servers.Var) []string {
	env := []string{
		"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "LOG_LEVEL=debug",
		"DATABASE_SCHEMA_CHECK=off", // the databases here are empty
		"PATH=" + os.Getenv("PATH"),
	}
	for _, name := range prefixes {
		env = append(env, name+"_PROBE_INTERVAL="+interval.String(), name+"_PROBE_TIMEOUT="+timeout.String())
	}
	for _, v := range vars { // later ones win, as in exec.Cmd
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

// read keeps the log and finds the addresses in it.
func (s *sidecar) read(stderr io.Reader, listening chan<- struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.log.add(lines.Text())
		var record struct {
			Msg     string
			Health  string `json:"health_addr"`
			Metrics string `json:"metrics_addr"`
		}
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "serving" {
			s.health, s.metrics = "http://"+record.Health, "http://"+record.Metrics+"/metrics"
			close(listening)
		}
	}
}

// stop ends the program as Kubernetes does, and holds it to its exit code.
func (s *sidecar) stop() {
	s.t.Helper()
	s.signal(syscall.SIGCONT) // in case a test froze it
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
		if s.waitErr != nil {
			s.t.Errorf("exit after SIGTERM: %v", s.waitErr)
		}
	case <-time.After(5*time.Second + slack):
		_ = s.cmd.Process.Kill()
		s.t.Error("the sidecar did not exit after SIGTERM")
	}
	s.secrets.check(s.t, "the log", s.log.String())
	if s.t.Failed() {
		s.t.Logf("log of the sidecar:\n%s", s.log)
	}
}

func (s *sidecar) signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

type lockedBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *lockedBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}
