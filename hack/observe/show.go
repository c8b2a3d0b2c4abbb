package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reims/reims-health/test/observe"
	"github.com/reims/reims-health/test/poll"
)

// calm is the time between two scenes, for the person to look.
const calm = 10 * time.Second

// show plays the scenes.
type show struct {
	stage  *observe.Stage
	factor int
}

// play goes on for so many rounds, or until ctx is done if that is 0.
func (s *show) play(ctx context.Context, rounds int) error {
	for round := 1; rounds == 0 || round <= rounds; round++ {
		if round == 2 {
			say("From here on the hour's error budget is spent: its alert comes as well.")
		}
		for i, scene := range observe.Scenes() {
			pause(ctx, calm)
			say(fmt.Sprintf("Round %d, %d of %d: %s.", round, i+1, len(observe.Scenes()), scene.Name))
			if err := errors.Join(s.scene(ctx, scene), ctx.Err()); err != nil {
				return err
			}
		}
	}
	return nil
}

// scene breaks something, waits for its alerts, mends it, and waits for the end.
func (s *show) scene(ctx context.Context, scene observe.Scene) error {
	before := len(s.stage.Receiver.Events())
	if err := scene.Break(ctx, s.stage); err != nil {
		return err
	}
	if scene.Alerts == nil {
		say("  Nothing should arrive.")
	}
	began := time.Now()
	s.await(ctx, before+len(scene.Alerts), "alert")
	pause(ctx, scene.Hold/time.Duration(s.factor)-time.Since(began))
	say("  Repairing it.")
	if err := scene.Mend(ctx, s.stage); err != nil {
		return err
	}
	s.await(ctx, before+2*len(scene.Alerts), "resolution")
	return nil
}

// await waits until so many alerts have arrived. That none comes is worth a line, and no
// more: a person is watching, and may have silenced it.
func (s *show) await(ctx context.Context, events int, what string) {
	limit := 30*time.Second + 15*time.Minute/time.Duration(s.factor)
	arrived := poll.Poll(ctx, limit, func() bool { return len(s.stage.Receiver.Events()) >= events })
	if !arrived && ctx.Err() == nil {
		say(fmt.Sprintf("  No %s within %s.", what, limit))
	}
}

func pause(ctx context.Context, d time.Duration) { _ = poll.Pause(ctx, d) } // the caller looks at ctx
