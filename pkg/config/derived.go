package config

import (
	"log/slog"
	"strings"
)

// Level returns the least level that is logged.
func (h Health) Level() slog.Level {
	switch h.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// LogJSON reports whether to log JSON rather than text, to a terminal or not.
func (h Health) LogJSON(terminal bool) bool {
	return h.LogFormat == "json" || h.LogFormat == "auto" && !terminal
}

// JoinHostPort brackets an IPv6 address, with a port or without.
func JoinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}
