package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
)

// DatabaseSSLMode returns the sslmode in effect: the one that was given; else
// disable on a Unix socket, verify-full with a root certificate, require in
// production, and prefer.
func (c *Config) DatabaseSSLMode() string {
	switch d := c.Database; {
	case d.SSLMode != "":
		return d.SSLMode
	case d.Socket():
		return "disable"
	case d.SSLRootCert != "":
		return "verify-full"
	case c.Health.Environment == "production":
		return "require"
	default:
		return "prefer"
	}
}

// Socket reports whether Host is the directory of a Unix socket.
func (d Database) Socket() bool { return strings.HasPrefix(d.Host, "/") }

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

// BaseURL returns the address of the API, with no slash at its end. It holds the
// user and password, if Host does: Redacted() is the form to show. After [Load]
// there is never an error.
func (o Ollama) BaseURL() (*url.URL, error) {
	u, err := parseOllamaHost(o.Host)
	if err != nil {
		return nil, err
	}
	host, port := u.Hostname(), u.Port()
	// OLLAMA_HOST is also what the server listens on, and a client cannot count
	// on reaching "all addresses".
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = loopback(addr)
	}
	if port == "" && (o.portSet || !strings.Contains(o.Host, "://")) {
		port = itoa(o.Port)
	}
	u.Host = joinHostPort(host, port)
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func loopback(addr netip.Addr) string {
	if addr.Is6() {
		return "::1"
	}
	return "127.0.0.1"
}

// joinHostPort brackets an IPv6 address, with a port or without.
func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}
