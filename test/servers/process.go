package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers/install"
)

const (
	startTimeout = 60 * time.Second // generous: a loaded machine is no failure
	answerWait   = 2 * time.Second
)

// Options are common to all servers.
type Options struct {
	// Dir is the server's own folder, made when missing; removing it is the
	// caller's business. Data in it is used again. Required.
	Dir string
	// Host is the IP address to listen on, by default 127.0.0.1. Another one belongs
	// in a network namespace of the tests' own, or is one that their user has named.
	Host string
	// Detached lets the server outlive this process. By default it dies with it.
	Detached bool
	// Progress, when set, gets a line now and then while something is installed
	// or built.
	Progress func(line string)
}

// Process is the part that all servers share: a child process in a process group
// of its own, with one address and one folder for all its life. Its methods must
// not be called concurrently.
type Process struct {
	common      Options
	name        string
	dir         string
	port        int
	reservation io.Closer
	path        string
	args, env   []string
	account     *syscall.Credential // nil: ours
	stopSignal  syscall.Signal
	deathSignal syscall.Signal // sent by the kernel when this process ends

	prepare func(context.Context) error // before each start: install, build, configure
	ready   func(context.Context) error // asks the running server
	fill    func(context.Context) error // after the first start; may be nil

	instance Instance
	filled   bool
	exited   chan struct{} // closed when the child has been waited for
}

// newProcess makes the folder and reserves the port.
func newProcess(name string, o Options) (*Process, error) {
	if o.Dir == "" {
		return nil, fmt.Errorf("set up %s: no folder given", name)
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("set up %s: %w", name, err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("set up %s: %w", name, err)
	}
	if o.Host == "" {
		o.Host = loopback
	}
	port, reservation, err := reservePort(o.Host)
	if err != nil {
		return nil, fmt.Errorf("set up %s: %w", name, err)
	}
	return &Process{
		common: o, name: name, dir: o.Dir, port: port, reservation: reservation,
		stopSignal: syscall.SIGTERM, deathSignal: syscall.SIGKILL,
	}, nil
}

// progress shows the installation of what the server needs.
func (p *Process) progress() *install.Progress { return install.Lines(p.common.Progress) }

// Host returns the address that it listens on.
func (p *Process) Host() string { return p.common.Host }

// Port returns the TCP port, the same over restarts.
func (p *Process) Port() int { return p.port }

// Addr returns host:port.
func (p *Process) Addr() string { return address(p.Host(), p.port) }

// Name returns the server's name, such as "redis".
func (p *Process) Name() string { return p.name }

// Dir returns the server's folder, which is not always the one in [Options].
func (p *Process) Dir() string { return p.dir }

// Log returns the path of the server's log.
func (p *Process) Log() string { return filepath.Join(p.dir, p.name+".log") }

// Instance identifies the present run; the zero Instance before the first Start.
func (p *Process) Instance() Instance { return p.instance }

// Running tells whether the server's process is there, frozen or not.
func (p *Process) Running() bool { return p.instance.Running() }

// Start starts the server, the first time or again after Stop or Kill, and
// returns when it gave a real answer, or after a minute an error with the end of
// its log. What is missing on the machine is installed or built before, which can
// take minutes. The server does not end with ctx.
func (p *Process) Start(ctx context.Context) error {
	if p.Running() {
		return fmt.Errorf("start %s: it is running (pid %d)", p.name, p.instance.PID)
	}
	if err := p.prepare(ctx); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := p.spawn(ctx); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	if err := p.awaitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("start %s on %s: %w; its log ends:\n%s", p.name, p.Addr(), err, p.LogTail()), p.Kill())
	}
	if p.fill == nil || p.filled {
		return nil
	}
	if err := p.fill(ctx); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.name, err), p.Kill())
	}
	p.filled = true
	return nil
}

func (p *Process) spawn(ctx context.Context) error {
	log, err := os.OpenFile(p.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}, p.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	if p.common.Detached {
		cmd.SysProcAttr.Setsid = true // closing the terminal is not its end either
	} else {
		cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, p.deathSignal
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.exited = exited
	go func() { // Stop and Kill wait for it
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
	}()
	stat, err := readStat(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("it ended at once; its log ends:\n%s", p.LogTail())
	}
	p.instance = Instance{Name: p.name, PID: stat.pid, Started: stat.started, StopSignal: p.stopSignal}
	return nil
}

func (p *Process) awaitReady(ctx context.Context) error {
	var last error
	ended := false
	poll.Poll(ctx, startTimeout, func() bool {
		if last = p.ask(ctx); last == nil {
			return true
		}
		select {
		case <-p.exited:
			ended = true
		default:
		}
		return ended
	})
	switch {
	case ended:
		return errors.New("it ended before it was ready")
	case last != nil:
		return fmt.Errorf("not ready: %w", last)
	}
	return nil
}

func (p *Process) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	return p.ready(ctx)
}

// Stop ends the server in order, within ten seconds, or else kills it. The data
// and the port stay. Stopping a stopped server is no error.
func (p *Process) Stop() error { return p.end(p.instance.Stop) }

// Kill ends the server and all its descendants with SIGKILL.
func (p *Process) Kill() error { return p.end(p.instance.Kill) }

func (p *Process) end(how func() error) error {
	err := how()
	if err == nil && p.exited != nil {
		<-p.exited
	}
	return err
}

// Freeze stops the server and all its descendants with SIGSTOP, see
// [Instance.Freeze].
func (p *Process) Freeze() error { return p.instance.Freeze() }

// Thaw undoes Freeze.
func (p *Process) Thaw() error { return p.instance.Thaw() }

// Close stops the server for good and gives its port back.
func (p *Process) Close() error { return errors.Join(p.Stop(), p.reservation.Close()) }

// procStat is what /proc/PID/stat says about a process.
type procStat struct {
	pid, parent int
	state       byte   // R, S, D, T (stopped), Z (ended, not waited for), …
	started     uint64 // clock ticks since boot: with pid, unique until the next boot
	ticks       uint64 // of CPU that it and its children that have ended used
}

// stopped tells whether the process runs no code, for the moment or for good.
func (p procStat) stopped() bool { return p.state == 'T' || p.ended() }

func (p procStat) ended() bool { return p.state == 'Z' || p.state == 'X' }

// readStat returns an error when there is no such process.
func readStat(pid int) (procStat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	// The second field is the name in parentheses and may hold any character.
	_, after, ok := bytes.Cut(raw[bytes.LastIndexByte(raw, ')')+1:], []byte(" "))
	fields := bytes.Fields(after)
	if !ok || len(fields) < 20 {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %w", pid, err)
	}
	started, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("parse /proc/%d/stat: %w", pid, err)
	}
	found := procStat{pid: pid, parent: parent, state: fields[0][0], started: started}
	for _, field := range fields[11:15] { // user, system, and those of children
		ticks, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return procStat{}, fmt.Errorf("parse /proc/%d/stat: %w", pid, err)
		}
		found.ticks += ticks
	}
	return found, nil
}

// tree returns the process and all its descendants, parents before children.
// The parent links are followed and not the process group, because the children
// of PostgreSQL leave their parent's group.
func tree(root procStat) []procStat {
	children := make(map[int][]procStat)
	for _, pid := range allPIDs() {
		if p, err := readStat(pid); err == nil {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	found := []procStat{root}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

func allPIDs() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// CPU returns the CPU time that the present run has used so far: the server's, that of all
// its descendants, and that of those that have ended.
func (p *Process) CPU() (time.Duration, error) {
	root, ok := p.instance.stat()
	if !ok {
		return 0, fmt.Errorf("read the CPU time of %s: it is not running", p.name)
	}
	var ticks uint64
	for _, member := range tree(root) {
		ticks += member.ticks
	}
	return time.Duration(ticks) * (time.Second / clockTicks), nil
}

// clockTicks is how many there are per second: Linux tells all programs of 100.
const clockTicks = 100

// tailSize is what LogTail returns at most, in bytes.
const tailSize = 4 << 10

// LogTail returns the end of the server's log, or why it can't be read.
func (p *Process) LogTail() string {
	f, err := os.Open(p.Log())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailSize {
		if _, err := f.Seek(-tailSize, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	tail, err := io.ReadAll(io.LimitReader(f, tailSize))
	if err != nil {
		return err.Error()
	}
	return string(tail)
}
