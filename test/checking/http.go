package checking

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ServeHTTP answers on loopback until the test ends and returns host:port.
func ServeHTTP(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// Reply answers every request with this status and body.
func Reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Huge answers with 100 MB and does not say so beforehand.
func Huge(w http.ResponseWriter, _ *http.Request) {
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 100 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// ReadSome reads a request, or 4 kB of it, and answers nothing.
func ReadSome(c net.Conn) { _, _ = c.Read(make([]byte, 4<<10)) }

// ServeHTTPS answers with a certificate on loopback until the test ends and returns
// host:port. Clients is the authority whose certificates clients must show; nil for none.
func ServeHTTPS(t *testing.T, handler http.Handler, cert tls.Certificate, clients *Authority) string {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that must fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, clients.Roots()
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
