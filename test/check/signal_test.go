package check_test

import (
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/poll"
)

// The first signal asks the program to end, and the second one ends it, whatever it is
// at: here serve, which answers for another second after the first.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	s := startFor(t, nil)
	poll.Until(t, "it ends", func() bool {
		s.Signal(syscall.SIGTERM)
		select {
		case <-s.Exited():
			return true
		default:
			return false
		}
	})
	if status, ok := s.State().Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v: want it killed by the signal", s.Wait())
	}
}
