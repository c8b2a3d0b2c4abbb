package servers

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// stopTimeout bounds an orderly stop; what is left after it is killed.
const stopTimeout = 10 * time.Second

// Instance identifies one run of a server. It can be written down and used by
// another process later: a PID that was given to another program since then is
// told apart by its start time, and left alone.
type Instance struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Started is in clock ticks since boot, as in /proc/PID/stat.
	Started uint64 `json:"started"`
	// StopSignal is the one that asks this server for an orderly end.
	StopSignal syscall.Signal `json:"stop_signal"`
}

// Running tells whether the very process that was started is still there.
func (i Instance) Running() bool {
	_, ok := i.stat()
	return ok
}

func (i Instance) stat() (procStat, bool) {
	if i.PID == 0 {
		return procStat{}, false
	}
	p, err := readStat(i.PID)
	return p, err == nil && p.started == i.Started && !p.ended()
}

// Stop asks the server to end, waits up to ten seconds and then kills it and
// whatever it left behind. Stopping one that has ended is no error.
func (i Instance) Stop() error {
	root, ok := i.stat()
	if !ok {
		return nil
	}
	family := tree(root)
	if err := i.signal(i.StopSignal); err != nil {
		return err
	}
	signalAll(family, syscall.SIGCONT) // a frozen one would not see the signal
	if !poll.Poll(context.Background(), stopTimeout, func() bool { return !i.Running() }) {
		return i.Kill()
	}
	return i.killAll(family)
}

// Kill ends the server and all its descendants at once, and returns when they
// are gone.
func (i Instance) Kill() error {
	root, ok := i.stat()
	if !ok {
		return nil
	}
	// Stopped first, so that none can have a child that the walk does not see.
	return i.killAll(stopTree(root))
}

// Freeze stops the server and all its descendants (SIGSTOP): they hold their
// ports and connections and answer nothing. It returns when all have stopped.
func (i Instance) Freeze() error {
	root, ok := i.stat()
	if !ok {
		return fmt.Errorf("freeze %s: it is not running", i.Name)
	}
	stopTree(root)
	return nil
}

// Thaw undoes Freeze.
func (i Instance) Thaw() error {
	root, ok := i.stat()
	if !ok {
		return fmt.Errorf("thaw %s: it is not running", i.Name)
	}
	signalAll(tree(root), syscall.SIGCONT)
	return nil
}

func (i Instance) signal(s syscall.Signal) error {
	if err := syscall.Kill(i.PID, s); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("send %s to %s (pid %d): %w", s, i.Name, i.PID, err)
	}
	return nil
}

func (i Instance) killAll(family []procStat) error {
	signalAll(family, syscall.SIGKILL)
	gone := func() bool { return !slices.ContainsFunc(family, isAlive) }
	if !poll.Poll(context.Background(), stopTimeout, gone) {
		return fmt.Errorf("kill %s (pid %d): still there after %s", i.Name, i.PID, stopTimeout)
	}
	return nil
}

// stopTree freezes the process and its descendants, parents first, until a walk
// finds none that still runs: a stopped parent has no more children.
func stopTree(root procStat) []procStat {
	var family []procStat
	poll.Poll(context.Background(), stopTimeout, func() bool {
		family = tree(root)
		running := 0
		for _, p := range family {
			if now, err := readStat(p.pid); err == nil && !now.stopped() {
				running++
				signalAll([]procStat{p}, syscall.SIGSTOP)
			}
		}
		return running == 0
	})
	return family
}

// signalAll passes over processes that have ended since they were seen.
func signalAll(family []procStat, s syscall.Signal) {
	for _, p := range family {
		if isAlive(p) {
			_ = syscall.Kill(p.pid, s) // it may end between the two calls
		}
	}
}

func isAlive(p procStat) bool {
	now, err := readStat(p.pid)
	return err == nil && now.started == p.started && !now.ended()
}
