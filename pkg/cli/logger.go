package cli

import (
	"bytes"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/logqueue"
)

// The commands that must go on whatever becomes of their log, and for how long they wait
// at their end until it is written: serve must be gone within five seconds of SIGTERM;
// the others do not lose a line to a reader that is only slow. Any other command's output
// is what it is for: it waits for its reader, and a reader that has gone ends it.
const (
	queuedOutput  = "queued-output" // annotation
	servePatience = 300 * time.Millisecond
	stepPatience  = 5 * time.Second
)

// queued marks a command whose log is queued.
func queued(patience time.Duration) map[string]string {
	return map[string]string{queuedOutput: patience.String()}
}

// patienceOf is how long a command waits for its log, or 0 where that is not queued.
func patienceOf(cmd *cobra.Command) time.Duration {
	patience, err := time.ParseDuration(cmd.Annotations[queuedOutput])
	if err != nil {
		return 0
	}
	return patience
}

// newLogger returns the logger that the configuration asks for. It writes no secret
// of it. A queue tells in the same form what it lost.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	queue, isQueue := w.(*logqueue.Queue)
	terminal := display.IsTerminal(w)
	if isQueue {
		terminal = display.IsTerminal(queue.Unwrap())
	}
	options := &slog.HandlerOptions{Level: cfg.Health.Level()}
	handler := func(w io.Writer) slog.Handler {
		if cfg.Health.LogJSON(terminal) {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}
	if isQueue {
		queue.SetNotice(func(lost uint64) []byte {
			var line bytes.Buffer
			slog.New(handler(&line)).Error("log lines were lost here: they could not be written in time", "lines", lost)
			return line.Bytes()
		})
	}
	return slog.New(cfg.Redactor().Handler(handler(w)))
}
