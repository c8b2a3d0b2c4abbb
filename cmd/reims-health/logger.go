package main

import (
	"io"
	"log/slog"

	"github.com/reims/reims-health/pkg/check/display"
	"github.com/reims/reims-health/pkg/config"
)

// newLogger returns the logger that the configuration asks for. It writes no secret
// of it.
func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Health.Level()}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.Health.LogJSON(display.IsTerminal(w)) {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(cfg.Redactor().Handler(handler))
}
