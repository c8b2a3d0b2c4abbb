package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

const (
	// window is a multiple of the interval of every service, so that each has the same number of
	// checks in each window.
	window = 10 * time.Second
	// settling is when the program has given back what its start needed, and more.
	settling = 40 * time.Second
)

// resting is the program as it is shipped, with four services and default settings, and
// nothing that asks it.
type resting struct {
	world   *world
	sidecar *servers.Sidecar
	since   time.Time
}

// rest starts a program that is left alone.
func (w *world) rest(ctx context.Context) (*resting, error) {
	s, err := w.sidecar(ctx, "sidecar-at-rest")
	return &resting{w, s, time.Now()}, err
}

// measure looks at the processor time and memory of some windows.
func (s *resting) measure(ctx context.Context, r *results, windows int) error {
	if left := settling - time.Since(s.since); left > 0 {
		r.say("waiting until the program is at rest, %s", left.Round(time.Second))
		pause(ctx, left)
	}
	info, err := os.Stat(s.world.program)
	if err != nil {
		return err
	}
	for range windows {
		before, err := spent(s.sidecar.Instance().PID)
		if err != nil {
			return err
		}
		begin := time.Now()
		pause(ctx, window)
		took := time.Since(begin)
		after, err := spent(s.sidecar.Instance().PID)
		if err != nil {
			return err
		}
		resident, own, err := memory(s.sidecar.Instance().PID)
		if err != nil {
			return err
		}
		r.add(partRest, []string{"of", ours},
			value{100 * float64(after-before) / float64(took), unitCore},
			value{resident, unitResident}, value{own, unitOwn}, value{float64(info.Size()), unitBinary})
	}
	return ctx.Err()
}

// pause waits.
func pause(ctx context.Context, d time.Duration) {
	poll.Poll(ctx, d, func() bool { return false })
}

// measureStart takes the time from the start of the process to its first answers.
func (w *world) measureStart(ctx context.Context, r *results, rounds int) error {
	for i := range rounds {
		s, err := servers.NewSidecar(servers.SidecarOptions{
			Options: servers.Options{Dir: filepath.Join(w.dir, "start-"+strconv.Itoa(i))}, Program: w.program, Vars: w.env(),
		})
		if err != nil {
			return err
		}
		w.close = append(w.close, s.Close)
		begin := time.Now()
		if err := s.Start(ctx); err != nil { // until /health/live answers
			return err
		}
		live := time.Since(begin)
		if err := answers(ctx, s.Endpoint()+"/ready", http.StatusOK); err != nil {
			return err
		}
		r.add(partStart, []string{"of", ours}, value{float64(live), unitLive}, value{float64(time.Since(begin)), unitReady})
		if err := s.Stop(); err != nil {
			return err
		}
	}
	return nil
}
