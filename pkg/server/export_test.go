package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Times are limits of a server; zero stands for a minute.
type Times struct{ ReadHeader, Write, Idle, Shutdown time.Duration }

// ListenLimited is Listen with other times.
func ListenLimited(ctx context.Context, handler http.Handler, t Times) (*Server, error) {
	l := defaultLimits()
	l.readHeader = cmp.Or(t.ReadHeader, time.Minute)
	l.write = cmp.Or(t.Write, time.Minute)
	l.idle = cmp.Or(t.Idle, time.Minute)
	l.shutdown = cmp.Or(t.Shutdown, time.Minute)
	l.patience = 5 * time.Minute
	return listen(ctx, "127.0.0.1:0", TLSFiles{}, handler, slog.New(slog.DiscardHandler), l)
}

// ListenTLS is Listen for HTTPS that reads the files again every 10 ms.
func ListenTLS(ctx context.Context, files TLSFiles, handler http.Handler, log *slog.Logger) (*Server, error) {
	l := defaultLimits()
	l.certificates = 10 * time.Millisecond
	return listen(ctx, "127.0.0.1:0", files, handler, log, l)
}

// Keeps tells whether anything is kept of what was made on demand.
func (h *Handler) Keeps() bool { return !h.history.Empty() }

// Break closes the listener under a running server.
func (s *Server) Break() error { return s.listener.Close() }
