package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"github.com/reims/reims-health/pkg/config"
)

// newLogger returns the logger that the configuration asks for. It writes no secret
// of it.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Health.Level()}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Health.LogJSON(isTerminal(w)) {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(cfg.Redactor().Handler(handler))
}

// isTerminal reports whether a reader or a writer is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
