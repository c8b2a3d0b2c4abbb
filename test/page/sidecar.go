package page

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/servers"
	"github.com/reims/reims-health/test/servers/install"
)

// BuildProgram builds the program into dir and returns its path.
func BuildProgram(dir string) (string, error) {
	program := filepath.Join(dir, "reims-health")
	return program, install.Product(context.Background(), program)
}

// Sidecar is a running `reims-health serve`.
type Sidecar struct {
	// URL is that of its health address, with no slash at the end.
	URL string

	cmd    *exec.Cmd
	exited chan error
}

// StartSidecar runs the program with these variables and nothing else, on free ports
// of loopback, and returns once it listens. Stop ends it.
func StartSidecar(program string, vars ...servers.Var) (*Sidecar, error) {
	s := &Sidecar{cmd: exec.Command(program, "serve"), exited: make(chan error, 1)}
	s.cmd.Env = []string{"HEALTH_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "DATABASE_SCHEMA_CHECK=off"}
	for _, v := range vars {
		s.cmd.Env = append(s.cmd.Env, v.Name+"="+v.Value)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	addr := make(chan string, 1)
	go func() { // Stop waits for it
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var record struct {
				Addr string `json:"health_addr"`
			}
			if json.Unmarshal(lines.Bytes(), &record) == nil && record.Addr != "" {
				addr <- record.Addr
			}
		}
		s.exited <- s.cmd.Wait()
	}()
	select {
	case a := <-addr:
		s.URL = "http://" + a
		return s, nil
	case err := <-s.exited:
		return nil, fmt.Errorf("the sidecar exited: %w", err)
	case <-time.After(10 * time.Second):
		return nil, errors.Join(errors.New("the sidecar does not listen"), s.Stop())
	}
}

// Signal sends it a signal, such as SIGSTOP.
func (s *Sidecar) Signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// Stop ends it as Kubernetes does.
func (s *Sidecar) Stop() error {
	s.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the sidecar did not exit"), s.cmd.Process.Kill())
	}
}
