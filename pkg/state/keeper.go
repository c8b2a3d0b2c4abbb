package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

const (
	readPatience  = time.Second      // at the start, for a file that does not open
	retryDelay    = 10 * time.Second // until a failed write is tried again
	closePatience = time.Second      // at the end, for a write in progress
)

// Keeper reads the file once, with [Keeper.Restore], and then writes it after each
// change, with [Keeper.Start].
type Keeper struct {
	// Path is the path of the file. Its folder must exist; its content is replaced.
	Path string
	// Pod is the UID of this Pod.
	Pod string
	// Definitions has a digest of the settings per service.
	Definitions map[string]string
	Log         *slog.Logger

	read      chan struct{} // closed when the read that Restore began has ended
	written   []byte        // the content of the file, if it is known
	attempted []byte        // the content of the latest attempt
	attempt   time.Time     // when the latest attempt began
	failed    bool          // the latest attempt failed, and this was logged
}

// Restore returns the restored services by name. It returns none if the
// file is absent, damaged, of another Pod or not readable within a second. It must be
// called once, before Start.
func (k *Keeper) Restore() map[string]health.Restored {
	type answer struct {
		content []byte
		err     error
	}
	answers := make(chan answer, 1)
	k.read = make(chan struct{})
	go func() { // Start waits for it
		defer close(k.read)
		content, err := readFile(k.Path)
		answers <- answer{content, err}
	}()
	timer := time.NewTimer(readPatience)
	defer timer.Stop()
	select {
	case a := <-answers:
		return k.restore(a.content, a.err)
	case <-timer.C:
		return k.restore(nil, fmt.Errorf("not read within %s", readPatience))
	}
}

func (k *Keeper) restore(content []byte, err error) map[string]health.Restored {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var d document
	if err == nil {
		d, err = decode(content)
	}
	if err == nil && d.Pod != k.Pod {
		err = errors.New("it is of another Pod")
	}
	if err != nil {
		k.Log.Warn("state file ignored: every service must be proven again", "path", k.Path, "error", err)
		return nil
	}
	k.written = content
	known := d.restored(k.Definitions)
	k.Log.Info("state restored: the container restarted", "services", slices.Sorted(maps.Keys(known)),
		"changed", len(d.Services)-len(known))
	return known
}

// Start writes the file after each change, until ctx is done and the
// latest state is written. It returns an error only if a write has not
// ended a second after ctx was done.
func (k *Keeper) Start(ctx context.Context, updates <-chan *health.View) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.keep(ctx, updates)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return fmt.Errorf("write %s: still waiting for the disk after %s: abandoned", k.Path, closePatience)
	}
}

func (k *Keeper) keep(ctx context.Context, updates <-chan *health.View) {
	<-k.read // a disk that answers no read gets no write either
	var v *health.View
	for {
		select {
		case v = <-updates:
		case <-ctx.Done():
		}
		for len(updates) > 0 {
			v = <-updates
		}
		if v != nil {
			k.save(v, time.Now())
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// save writes the state of a view unless the file has it already, or the same
// was tried a moment ago.
func (k *Keeper) save(v *health.View, now time.Time) {
	content, err := encode(k.Pod, k.Definitions, v)
	if err == nil {
		again := bytes.Equal(content, k.attempted) && now.Sub(k.attempt) < retryDelay
		if bytes.Equal(content, k.written) || again {
			return
		}
		k.attempted, k.attempt = content, now
		err = writeFile(k.Path, content)
	}
	switch {
	case err == nil:
		k.written = content
		if k.failed {
			k.Log.Info("state file written again", "path", k.Path)
		}
	case !k.failed:
		k.Log.Warn("state file not written: after a restart of this container, every service must be proven again; "+
			"trying again, and logging this once", "path", k.Path, "error", err)
	}
	k.failed = err != nil
}
