package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
		err = c.looks(ctx, &watch, c.records())
	case display.CanRedraw(c.out, c.environ):
		err = c.live(ctx, &watch)
		p.Watched(&watch, c.client.URL(), time.Since(began))
	default:
		err = c.looks(ctx, &watch, viewer{
			asks:   noWait,
			begins: p.Past,
			saw: func(l *check.Look, changes []check.Change) error {
				if watch.Rounds == 1 {
					p.State(l)
				} else {
					p.Changes(l, changes)
				}
				return p.Err()
			},
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
		return c.looks(ctx, watch, viewer{asks: screen.Ask, begins: screen.Begin, saw: func(l *check.Look, _ []check.Change) error {
			screen.Show(l)
			return nil
		}})
	})
	return group.Wait()
}

// records writes each look that saw something new as one line of JSON. What the sidecar
// remembers is among the changes of the first look that it answered, before those.
func (c *checkCommand) records() viewer {
	var past []check.Change
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return viewer{
		asks: noWait,
		begins: func(p *check.Past) {
			if p != nil {
				past = p.Changes
			}
		},
		saw: func(l *check.Look, changes []check.Change) error {
			changes = slices.Concat(past, changes)
			past = nil
			if len(changes) == 0 {
				return nil
			}
			return enc.Encode(struct {
				*check.Look
				Changes []check.Change `json:"changes"`
			}{l, changes})
		},
	}
}

// viewer is what a monitor tells of its looks.
type viewer struct {
	// asks is called before each look, and may wait.
	asks func(context.Context)
	// begins is called once, with what the sidecar remembers, which may be nil, before the
	// first look that it answered is told.
	begins func(*check.Past)
	// saw is called with each look, and with what changed.
	saw func(*check.Look, []check.Change) error
}

// noWait is called before a look where nothing is shown meanwhile.
func noWait(context.Context) {}

// looks takes a look every interval until ctx is done or count is reached. The history is asked
// for after the first look that is answered, so that nothing is lost between the two.
func (c *checkCommand) looks(ctx context.Context, watch *check.Watch, v viewer) error {
	tick := time.NewTicker(c.interval)
	defer tick.Stop()
	begun := false
	for {
		v.asks(ctx)
		l := c.client.Look(ctx, c.maxAge)
		if !begun && l.Status != check.NoAnswer {
			begun = true
			p := c.client.Past(ctx, l)
			watch.Begin(p)
			v.begins(p)
		}
		if ctx.Err() != nil {
			return nil // asked to stop
		}
		if err := v.saw(l, watch.See(l)); err != nil || watch.Rounds == c.count {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
