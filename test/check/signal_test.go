package check_test

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/poll"
)

// The first signal asks the program to end, and the second one ends it, whatever it is
// at: here serve, which answers for another second after the first.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	ended := make(chan error, 1)
	s.reading.Go(func() { ended <- s.cmd.Wait() })
	poll.Until(t, "it ends", func() bool {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		return len(ended) > 0
	})
	err := <-ended
	if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM { //nolint:errorlint,forcetypeassert // Wait's own
		t.Errorf("it ended with %v: want it killed by the signal", err)
	}
}
