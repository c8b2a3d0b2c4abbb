package dependency

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxHTTP2Buffer is how much a server may send by HTTP/2 before it is read: the least
// that the protocol begins with.
const maxHTTP2Buffer = 64 << 10

// idempotent is a header that net/http knows: with no value it is not sent, and says that
// the request may be sent twice.
const idempotent = "Idempotency-Key"

// Repeatable marks a request with a body as one that may be sent twice.
func Repeatable(req *http.Request) { req.Header[idempotent] = nil }

// rewind prepares a request to be sent again, and reports whether that is allowed.
func rewind(req *http.Request) bool {
	if req.Body == nil {
		return true
	}
	if _, ok := req.Header[idempotent]; !ok || req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	req.Body = body
	return err == nil
}

var (
	errHTTP1   = errors.New("the server speaks HTTP/1")
	errNoHTTP2 = errors.New("the server does not speak HTTP/2")
)

// beginning returns why a new connection for HTTP/2 was closed before a response, if err of
// net/http does not say so. It connects again and reads what the server sends. Other errors
// are returned unchanged.
func (c *HTTPClient) beginning(req *http.Request, route *dial.Route, err error) error {
	secure := req.URL.Scheme == "https"
	untold := strings.Contains(err.Error(), "http2: client conn could not be established")
	if c.options.Protocols == nil || !untold && NetworkReason(err) != health.ReasonReset {
		return err
	}
	ctx, cancel := context.WithTimeout(req.Context(), c.options.Timeout/4)
	defer cancel()
	conn, failed := route.Again(ctx)
	if failed != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var stream io.Reader = conn
	if secure {
		cfg := c.options.TLS.Clone()
		cfg.ServerName, cfg.NextProtos = req.URL.Hostname(), []string{"h2"}
		secured := tls.Client(conn, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		stream = secured // an alert comes before anything is written
	} else {
		// The preface and an empty frame of settings (section 3.4 of RFC 9113).
		_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	}
	const headerSize, settings = 9, 4 // of a frame; its type
	header := make([]byte, headerSize)
	_, failed = io.ReadFull(stream, header)
	switch {
	case failed != nil && NetworkReason(failed) != health.ReasonTimeout:
		return failed
	case failed != nil, header[3] == settings: // it goes on now
		return io.ErrUnexpectedEOF
	case bytes.HasPrefix(header, []byte("HTTP/1.")):
		return errHTTP1
	default:
		return errNoHTTP2
	}
}

// http2Message returns a message for a server that does not speak HTTP/2, or "".
func http2Message(err error) string {
	switch text := err.Error(); {
	case errors.Is(err, errHTTP1), strings.Contains(text, "looked like an HTTP/1.1 header"):
		return "the server speaks HTTP/1, and not HTTP/2"
	case strings.Contains(text, "tls: no application protocol"):
		return "the server speaks TLS without HTTP/2 (ALPN h2)"
	default:
		return ""
	}
}
