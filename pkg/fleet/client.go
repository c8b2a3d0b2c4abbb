package fleet

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// maxResponse is the largest response in bytes, with its header.
const maxResponse = maxAnswer + 16<<10

// The parts of the request. It has no credentials, so the response is the public one.
const (
	requestHead = "GET /health HTTP/1.1\r\nHost: "
	requestTail = "\r\nUser-Agent: reims-health-fleet\r\nAccept: application/json\r\n"
	requestEnd  = "\r\n"
	closeHeader = "Connection: close\r\n"
)

// client sends GET /health to sidecars. It writes HTTP/1.1 requests itself and reads the responses
// with [http.ReadResponse]. An idle connection of an [http.Transport] costs two goroutines and two
// buffers, 250 MB for 10,000 Pods; here it costs only a socket. The client follows no redirect and
// uses no proxy.
type client struct {
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// certificate returns the client certificate, for sidecars that request one; nil: none.
	certificate func() (tls.Certificate, error)
	bufReaders  sync.Pool // of *bufio.Reader
	getRequest  *http.Request
}

func newClient(timeout time.Duration, dial func(context.Context, string, string) (net.Conn, error), certificate func() (tls.Certificate, error)) *client {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: -1}).DialContext // the next request finds a broken connection
	}
	return &client{
		timeout: timeout, dial: dial, certificate: certificate,
		bufReaders: sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }},
		getRequest: &http.Request{Method: http.MethodGet},
	}
}

// endpoint is the address of a sidecar and, for HTTPS, how to verify its certificate.
type endpoint struct {
	address netip.AddrPort
	tls     *tls.Config // nil: HTTP
}

// newTLS returns the TLS configuration for the sidecars of a target; nil if they are asked by HTTP.
// A bundle without a certificate trusts no sidecar.
func newTLS(t *Target) *tls.Config {
	if len(t.CA) == 0 {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(t.CA)
	return &tls.Config{RootCAs: roots, ServerName: t.ServerName, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// get sends the request, and returns the body of the response or the failure. It uses conn if that
// is not nil and still open; otherwise it opens a connection. It returns the connection for the
// next request, or nil if keep is false or the connection cannot be reused. It takes at most the
// client's timeout.
func (a *client) get(ctx context.Context, p endpoint, conn net.Conn, keep bool) (body []byte, idle net.Conn, failure Failure) {
	deadline := time.Now().Add(a.timeout)
	for reused := conn != nil; ; reused = false {
		if !reused {
			var err error
			if conn, err = a.connect(ctx, p, deadline); err != nil {
				return nil, nil, failureOf(err)
			}
		}
		answer, reusable, err := a.exchange(ctx, p, conn, deadline, keep)
		if err != nil || !reusable || !keep {
			_ = conn.Close()
			conn = nil
		}
		if reused && isUnreachable(err) && ctx.Err() == nil && time.Now().Before(deadline) {
			continue // the sidecar had closed the idle connection
		}
		return answer, conn, failureOf(err)
	}
}

func (a *client) connect(ctx context.Context, p endpoint, deadline time.Time) (net.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := a.dial(ctx, "tcp", p.address.String())
	if err != nil || p.tls == nil {
		return conn, err
	}
	cfg := p.tls
	if a.certificate != nil {
		cfg = cfg.Clone()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c, err := a.certificate()
			return &c, err
		}
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		if isTimeout(err) || ctx.Err() != nil {
			return nil, err
		}
		return nil, failureError(FailureTLS)
	}
	return secure, nil
}

// exchange sends the request and reads the response. reusable reports whether the connection
// can be used for another request.
func (a *client) exchange(ctx context.Context, p endpoint, conn net.Conn, deadline time.Time, keep bool) (body []byte, reusable bool, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends the exchange when the program stops
	defer stop()
	if _, err := io.WriteString(conn, requestText(p, keep)); err != nil {
		return nil, false, err
	}
	reader, _ := a.bufReaders.Get().(*bufio.Reader)
	defer func() {
		reader.Reset(nil)
		a.bufReaders.Put(reader)
	}()
	limited := &io.LimitedReader{R: conn, N: maxResponse}
	reader.Reset(limited)
	response, err := http.ReadResponse(reader, a.getRequest)
	if err != nil {
		return nil, false, readError(ctx, err, limited, deadline)
	}
	defer response.Body.Close()
	if err := checkHeader(response); err != nil {
		return nil, false, err
	}
	body, err = readBody(response)
	switch {
	case err != nil:
		return nil, false, readError(ctx, err, limited, deadline)
	case len(body) > maxAnswer:
		return nil, false, failureError(FailureProtocol)
	}
	return body, !response.Close && reader.Buffered() == 0, nil
}

// readBody reads at most one byte more than maxAnswer.
func readBody(r *http.Response) ([]byte, error) {
	if n := r.ContentLength; n >= 0 { // at most maxAnswer
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
}

func requestText(p endpoint, keep bool) string {
	text := requestHead + p.address.String() + requestTail
	if !keep {
		text += closeHeader
	}
	return text + requestEnd
}

// checkHeader returns an error if the status code or the header is not that of a sidecar's response.
func checkHeader(r *http.Response) error {
	switch code := r.StatusCode; {
	case code >= 300 && code < 400:
		return failureError(FailureProtocol) // no sidecar redirects
	case code != http.StatusOK && code != http.StatusServiceUnavailable:
		return failureError(FailureStatus)
	}
	const want = "application/json"
	if text := r.Header.Get("Content-Type"); text != want {
		if media, _, err := mime.ParseMediaType(text); err != nil || media != want {
			return failureError(FailureProtocol)
		}
	}
	if r.ContentLength > maxAnswer {
		return failureError(FailureProtocol)
	}
	return nil
}

// failureError is a Failure as an error.
type failureError Failure

func (f failureError) Error() string { return string(f) }

// readError returns the error for a response that could not be read: that of the context, of the
// network or of TLS, or FailureProtocol.
func readError(ctx context.Context, err error, limited *io.LimitedReader, deadline time.Time) error {
	switch {
	case limited.N <= 0:
		return failureError(FailureProtocol)
	case ctx.Err() != nil:
		return ctx.Err()
	case isAlert(err): // TLS 1.3 refuses a client certificate after the handshake
		return failureError(FailureTLS)
	case isTimeout(err), isUnreachable(err):
		return err
	case !time.Now().Before(deadline): // bufio returns the beginning of a line in place of the error
		return context.DeadlineExceeded
	default:
		return failureError(FailureProtocol)
	}
}

func failureOf(err error) Failure {
	var known failureError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &known):
		return Failure(known)
	case isTimeout(err):
		return FailureTimeout
	default:
		return FailureUnreachable
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// isAlert reports whether the sidecar closed the connection with a TLS alert.
func isAlert(err error) bool {
	var alert tls.AlertError
	var network *net.OpError
	return errors.As(err, &alert) || errors.As(err, &network) && network.Op == "remote error"
}

// isUnreachable reports whether the connection failed or was closed.
func isUnreachable(err error) bool {
	var network *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.As(err, &network) && !network.Timeout()
}
