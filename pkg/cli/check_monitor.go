package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/pkg/check"
	"github.com/reims/reims-health/pkg/check/display"
)

// monitor takes looks until it is asked to stop, which is not a failure, or until it took
// as many as --count says. With --count it fails if any look failed, even if stopped early.
func (c *checkCommand) monitor(ctx context.Context) error {
	var (
		watch check.Watch
		began = time.Now()
		err   error
	)
	p := c.printer()
	switch {
	case c.json:
		err = c.looks(ctx, &watch, noWait, c.record)
	case display.CanRedraw(c.out, c.environ):
		err = c.live(ctx, &watch)
		p.Watched(&watch, c.client.URL(), time.Since(began))
	default:
		err = c.looks(ctx, &watch, noWait, func(l *check.Look, changes []check.Change) error {
			if watch.Rounds == 1 {
				p.State(l)
			} else {
				p.Changes(l, changes)
			}
			return p.Err()
		})
	}
	if err == nil && c.count > 0 && watch.Failed > 0 {
		err = fmt.Errorf("%d of %d looks failed", watch.Failed, watch.Rounds)
	}
	return err
}

// live shows the looks on the terminal.
func (c *checkCommand) live(ctx context.Context, watch *check.Watch) error {
	screen := display.NewScreen(c.in, c.out, c.environ, c.client.URL(), c.interval)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		defer stop()
		return screen.Run(ctx)
	})
	group.Go(func() error {
		defer stop()
		screen.Begin(c.client.Past(ctx))
		return c.looks(ctx, watch, screen.Ask, func(l *check.Look, _ []check.Change) error {
			screen.Show(l)
			return nil
		})
	})
	return group.Wait()
}

// record writes a look that saw something new as one line of JSON.
func (c *checkCommand) record(l *check.Look, changes []check.Change) error {
	if len(changes) == 0 {
		return nil
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		*check.Look
		Changes []check.Change `json:"changes"`
	}{l, changes})
}

// noWait is called before a look where nothing is shown meanwhile.
func noWait(context.Context) {}

// looks takes a look every interval until ctx is done or count is reached. It calls asks
// before each look, which may wait, and saw with its result.
func (c *checkCommand) looks(ctx context.Context, watch *check.Watch, asks func(context.Context), saw func(*check.Look, []check.Change) error) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	for {
		asks(ctx)
		l := c.client.Look(ctx, c.maxAge)
		if ctx.Err() != nil {
			return nil // asked to stop
		}
		if err := saw(l, watch.See(l)); err != nil || watch.Rounds == c.count {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
