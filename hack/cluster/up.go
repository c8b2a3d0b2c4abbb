package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/servers/install"
)

// up starts the cluster, and returns when Pods can be made or, with nothing left of
// it but its logs, when that failed. One whose owner has ended is ended first.
func up(ctx context.Context, out io.Writer, owner process) error {
	programs, err := prepare(ctx, out)
	if err != nil {
		return err
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	switch s, err := readState(); {
	case err == nil && s.Owner.ended():
		fmt.Fprintf(out, "One is up since %s, from %s, whose owner (process %d) has ended: it ends first.\n",
			s.Since.Format(time.TimeOnly), s.Checkout, s.Owner.PID)
	case err == nil:
		return fmt.Errorf("a machine holds one cluster, and one is up since %s, from %s: use that, or end it with make cluster-down",
			s.Since.Format(time.TimeOnly), s.Checkout)
	case !errors.Is(err, errDown):
		return err
	}
	if _, err := sweep(); err != nil {
		return err
	}
	if err := start(ctx, out, programs, owner); err != nil {
		_, swept := sweep()
		return errors.Join(err, swept)
	}
	_, err = fmt.Fprintln(out, "Use it with: go run ./hack/cluster exec -- kubectl get pods -A")
	return err
}

func start(ctx context.Context, out io.Writer, programs string, owner process) error {
	begin := time.Now()
	say := func(what string) { fmt.Fprintf(out, "%5.1fs %s\n", time.Since(begin).Seconds(), what) }
	if err := writeFiles(); err != nil {
		return err
	}
	progress, err := spawn(programs, owner)
	if err != nil {
		return err
	}
	defer progress.Close()
	defer context.AfterFunc(ctx, func() { progress.Close() })() // ends the reads below
	if err := importPause(ctx); err != nil {
		return err
	}
	say("containerd ready, the image of the sandboxes in it")
	last := ""
	for lines := bufio.NewScanner(progress); lines.Scan(); say(last) {
		last = lines.Text()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if last != booted {
		return fmt.Errorf("the node has ended:\n%s", nodeLog())
	}
	return nil
}

// spawn starts the node's first process, which waits until adopt has done its part,
// and ends should this process end before. What it reports comes from progress.
func spawn(programs string, owner process) (progress *os.File, err error) {
	gate, opener, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	defer opener.Close()
	progress, reporter, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reporter.Close()
	cmd := firstProcess(programs)
	cmd.ExtraFiles = []*os.File{gate, reporter} // goFile and readyFile
	if err := startLogged(cmd, "node"); err != nil {
		if errors.Is(err, syscall.EPERM) {
			err = fmt.Errorf("%w: namespaces take the capability CAP_SYS_ADMIN, which root has not everywhere: in a container, ask for a privileged one", err)
		}
		return nil, errors.Join(fmt.Errorf("start the node: %w", err), progress.Close())
	}
	if err := adopt(state{PID: cmd.Process.Pid, Owner: owner, Programs: programs, Since: time.Now()}, opener); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), progress.Close())
	}
	return progress, cmd.Process.Release()
}

// firstProcess is this program once more, in new namespaces.
func firstProcess(programs string) *exec.Cmd {
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{enterNode}, Dir: "/",
		Env: []string{"PATH=" + programs + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true, // closing the terminal is not its end
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
				syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		},
	}
}

func startLogged(cmd *exec.Cmd, name string) error {
	log, err := os.Create(logFile(name))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	return cmd.Start()
}

// adopt makes the node's first process findable, then lets it go on.
func adopt(s state, gate io.Writer) (err error) {
	if s.Checkout, err = install.Root(); err != nil {
		return err
	}
	group, err := newCgroup()
	if err != nil {
		return err
	}
	if err := group.add(s.PID); err != nil {
		return fmt.Errorf("make the cgroup %s: %w", clusterName, err)
	}
	if err := s.write(); err != nil {
		return err
	}
	_, err = gate.Write([]byte{1})
	return err
}

func nodeLog() string {
	raw, err := os.ReadFile(logFile("node"))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
