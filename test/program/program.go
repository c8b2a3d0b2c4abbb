// Package program builds the program, starts it in tests, and ends it.
package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/servers/install"
)

// patience bounds each wait for the program: more than ten times what it takes to start or
// to end.
const patience = time.Minute

// Build builds the program into the folder and returns its path. It also reads the
// sources, because go test's cache notices only changes of files that the test has read.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := install.Root()
	if err != nil {
		return "", err
	}
	for _, part := range []string{"cmd", "pkg", "migrations", "go.mod"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				_, err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("read the sources of the program: %w", err)
		}
	}
	path := filepath.Join(dir, "reims-health")
	return path, install.Product(ctx, path)
}

// Run runs a command that ends by itself. That its exit code is not 0 is no error.
func Run(cmd *exec.Cmd) (code int, stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = nil
	}
	if err != nil {
		return 0, "", "", err
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), nil
}

// Process is the program, running. It dies with the test's process at the latest.
type Process struct {
	// Health and Metrics are the addresses, host:port, that it serves on, see [Serve].
	Health, Metrics string

	cmd    *exec.Cmd
	log    log
	exited chan struct{}
	err    error // from exited on
}

// Start starts the command. Its standard error is kept as the log, unless it is set. The
// caller ends it, by Stop or Kill.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	p.log.serving = make(chan serving, 1)
	if cmd.Stderr == nil {
		cmd.Stderr = &p.log
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd, err)
	}
	go func() { // Wait, Stop and Kill wait for it
		defer close(p.exited)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Serve starts a command that becomes the program's serve, with LOG_FORMAT=json in its
// environment, and returns when it has logged its addresses.
func Serve(cmd *exec.Cmd) (*Process, error) {
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case at := <-p.log.serving:
		p.Health, p.Metrics = at.Health, at.Metrics
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s exited: %w; its log:\n%s", cmd, p.err, p.Log())
	case <-limit.C:
		p.Kill()
		return nil, fmt.Errorf("%s does not serve after %s; its log:\n%s", cmd, patience, p.Log())
	}
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns what it has written to standard error.
func (p *Process) Log() string { return p.log.String() }

// Signal sends it a signal. One that has ended does not mind.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Exited is closed when it has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Wait waits for its end and returns how that was, as [exec.Cmd.Wait] does.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// State waits for its end and returns what the system tells of it.
func (p *Process) State() *os.ProcessState {
	<-p.exited
	return p.cmd.ProcessState
}

// Stop ends it as Kubernetes does, even if it is frozen, and returns how it ended. One that
// ignores SIGTERM for a minute is killed, which is an error.
func (p *Process) Stop() error {
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGCONT)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.exited:
		return p.err
	case <-limit.C:
		p.Kill()
		return fmt.Errorf("%s did not exit within %s after SIGTERM", p.cmd, patience)
	}
}

// Kill ends it at once.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Output keeps what a program writes, for a test that reads it meanwhile. The zero value is
// empty.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Count returns how often the text was written.
func (o *Output) Count(text string) int { return strings.Count(o.String(), text) }

// Status returns a field of what Linux says about a process, such as VmRSS or RssAnon, in bytes.
func Status(pid int, field string) (float64, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	_, value, _ := strings.Cut("\n"+string(text), "\n"+field+":")
	var kilobytes float64
	if _, err := fmt.Sscan(value, &kilobytes); err != nil {
		return 0, fmt.Errorf("%s: read %s: %w", name, field, err)
	}
	return kilobytes * 1024, nil
}

// serving is the log record that has the addresses.
type serving struct {
	Msg     string
	Health  string `json:"health_addr"`
	Metrics string `json:"metrics_addr"`
}

// log keeps what is written, and finds the addresses in it.
type log struct {
	mu      sync.Mutex
	text    []byte
	seen    int // up to the end of the last whole line
	found   bool
	serving chan serving // gets the addresses once
}

// Write implements [io.Writer].
func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text...)
	for !l.found {
		end := bytes.IndexByte(l.text[l.seen:], '\n')
		if end < 0 {
			break
		}
		var record serving
		if json.Unmarshal(l.text[l.seen:l.seen+end], &record) == nil && record.Msg == "serving" {
			l.found = true
			l.serving <- record
		}
		l.seen += end + 1
	}
	return len(text), nil
}

// String returns all that was written.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
