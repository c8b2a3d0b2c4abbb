package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/rs/cors"
)

// limits bound the resources of one client, and of all clients together.
type limits struct {
	connections int           // see [connections]
	patience    time.Duration // with a slow request or response at the limit
	headerBytes int
	readHeader  time.Duration // from the first byte of a request, or from the start of a connection
	write       time.Duration // since the end of a request's header
	idle        time.Duration // between two requests
	shutdown    time.Duration // for requests in flight

	certificates time.Duration // between two reads of the TLS files
}

// defaultLimits returns limits that are several times what the kubelet, a scraper and some dashboards need.
func defaultLimits() limits {
	return limits{
		connections: 256,
		patience:    time.Second,
		headerBytes: 32 << 10, // room for the cookies that a proxy in front lets through
		readHeader:  5 * time.Second,
		write:       10 * time.Second,
		idle:        time.Minute,
		shutdown:    time.Second,

		certificates: 5 * time.Second,
	}
}

// Server is an HTTP server that is listening.
type Server struct {
	listener     net.Listener
	certificates *certificates // nil: plain HTTP
	http         http.Server
	shutdown     time.Duration
}

// Listen binds addr, so that a used port is an error at once, and the port chosen for 0 is known.
// With files it serves HTTPS. Requests wait until Start is called.
// The caller owns the server and must call Start.
func Listen(ctx context.Context, addr string, files TLSFiles, handler http.Handler, log *slog.Logger) (*Server, error) {
	return listen(ctx, addr, files, handler, log, defaultLimits())
}

func listen(ctx context.Context, addr string, files TLSFiles, handler http.Handler, log *slog.Logger, l limits) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("listen on %s: %w: stop the program that listens on %[1]s, such as a make run, or choose another address", addr, err)
		}
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	s := &Server{
		listener: newConnections(listener, l),
		shutdown: l.shutdown,
		http: http.Server{ //nolint:gosec // connections has the limits of time
			Handler:                      trackRequests(handler),
			ConnContext:                  withConnection,
			ConnState:                    trackState,
			DisableGeneralOptionsHandler: true, // OPTIONS * is a 405 as well
			MaxHeaderBytes:               l.headerBytes,
			ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
			Protocols:                    new(http.Protocols), // HTTP/1 alone: one client is one connection
		},
	}
	s.http.Protocols.SetHTTP1(true)
	if files != (TLSFiles{}) {
		s.certificates = newCertificates(files, l.certificates, listener.Addr().String(), log)
		s.listener = s.certificates.listen(s.listener)
	}
	return s, nil
}

// Addr returns the address on which it listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Start serves requests until ctx is done. Then it stops listening, and waits up to a second for
// requests in flight.
func (s *Server) Start(ctx context.Context) error {
	if s.certificates != nil {
		var reading sync.WaitGroup
		defer reading.Wait()
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		reading.Go(func() { s.certificates.start(ctx) })
	}
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }() // waited for below
	defer func() { _ = s.http.Close() }()              // closes what is still open after the shutdown
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.shutdown)
	defer cancel()
	_ = s.http.Shutdown(grace) // its only error is that the time was too short
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	}
	return nil
}

// AllowOrigins lets pages of other origins read the responses of h; "*" stands for
// every origin. With no origins it returns h itself.
func AllowOrigins(origins []string, h http.Handler) http.Handler {
	if len(origins) == 0 {
		return h
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		// A browser sends a plain POST without asking: a page may read its 405.
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders: []string{"Authorization"},
		MaxAge:         600,
	}).Handler(h)
}
