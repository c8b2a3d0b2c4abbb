package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
)

// The node runs this program again, under these names.
const (
	enterNode = "reims-health-cluster-enter" // still in the cgroup namespace of the machine
	runNode   = "reims-health-cluster-node"  // in all namespaces of its own
	runDNS    = "reims-health-cluster-dns"   // a component of the node
)

// What up hands to it.
const (
	goFile    = 3 // one byte comes from it as soon as up has done its part
	readyFile = 4 // lines of progress go to it, and its end says that all is ready
)

func isNode(args []string) bool {
	return len(args) == 1 && (args[0] == enterNode || args[0] == runNode || args[0] == runDNS)
}

// node is the first process in the node's namespaces, or a component of the node. It
// returns only on failure; when the first process ends, all others end with it.
func node(stage string) error {
	switch stage {
	case enterNode:
		return enter()
	case runDNS:
		return serveDNS()
	}
	ready := os.NewFile(readyFile, "ready")
	syscall.CloseOnExec(readyFile)
	for _, step := range []func() error{mounts, network} {
		if err := step(); err != nil {
			return fmt.Errorf("set up the node: %w", err)
		}
	}
	return serve(ready)
}

// enter waits until up has put this process into the cgroup, which then becomes the
// root of its cgroup namespace. Unshare is for one thread, and Exec keeps that one.
func enter() error {
	runtime.LockOSThread()
	gate := os.NewFile(goFile, "go")
	if _, err := gate.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for up: %w", err) // it has ended, and so must we
	}
	if err := errors.Join(gate.Close(), syscall.Unshare(syscall.CLONE_NEWCGROUP)); err != nil {
		return fmt.Errorf("enter a cgroup namespace: %w", err)
	}
	return syscall.Exec("/proc/self/exe", []string{runNode}, os.Environ())
}

// serve runs the components until one ends.
func serve(progress io.WriteCloser) error {
	c := &components{names: make(map[int]string)}
	if err := c.start(early()...); err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- c.reap() }()         // both end with this process,
	go func() { failed <- c.boot(progress) }() // which ends when one of them fails
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// components are the node's processes. The zero names are not usable.
type components struct {
	mu    sync.Mutex
	names map[int]string // by PID
}

func (c *components) start(all ...component) error {
	for _, one := range all {
		if err := c.startOne(one); err != nil {
			return fmt.Errorf("start %s: %w", one.name, err)
		}
	}
	return nil
}

func (c *components) startOne(one component) error {
	cmd := one.command()
	c.mu.Lock() // so that reap knows each process that it sees
	defer c.mu.Unlock()
	if err := startLogged(cmd, one.name); err != nil {
		return err
	}
	c.names[cmd.Process.Pid] = one.name
	return nil
}

// reap waits for all processes of the node, as a first process must, and returns
// when one of the components has ended: a node without it is of no use for a test.
func (c *components) reap() error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for the node's processes: %w", err)
		}
		c.mu.Lock()
		name := c.names[pid]
		c.mu.Unlock()
		if name != "" {
			return fmt.Errorf("%s ended (%s): see %s", name, ending(status), logFile(name))
		}
	}
}

func ending(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
