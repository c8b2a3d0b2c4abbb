package override

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/readfile"
)

// period is the time between two reads of the file.
const period = time.Second

// maxSize bounds the file in bytes, far above the two words.
const maxSize = 1 << 10

// File watches the override file, which contains ready or not_ready. There is
// no override while the file is absent or empty. Any other content, and a file that
// cannot be read, is logged and is no override either.
type File struct {
	Path string
	// Set is called with each change, and at the start if there is an override.
	Set func(health.Override)
	Log *slog.Logger
}

// Start watches the file until ctx is done.
func (f *File) Start(ctx context.Context) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	current, problem := health.NoOverride, ""
	for {
		next, err := read(f.Path)
		if now := errorText(err); now != problem {
			problem = now
			f.report(err)
		}
		if next != current {
			current = next
			f.Set(next)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (f *File) report(err error) {
	if err != nil {
		f.Log.Warn("override file ignored", "path", f.Path, "error", err)
	}
}

func read(path string) (health.Override, error) {
	text, err := readfile.Regular(path, maxSize)
	refused := new(readfile.Error)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return health.NoOverride, nil
	case errors.As(err, &refused):
		return health.NoOverride, errors.New("it " + refused.Problem) // the log names the file
	case err != nil:
		return health.NoOverride, err
	}
	switch o := health.Override(strings.ToLower(strings.TrimSpace(string(text)))); o {
	case health.NoOverride, health.OverrideReady, health.OverrideNotReady:
		return o, nil
	default:
		return health.NoOverride, errors.New("it must say ready or not_ready")
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
