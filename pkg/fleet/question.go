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

// maxResponse bounds all bytes of a response, its header's among them.
const maxResponse = maxAnswer + 16<<10

// request is GET /health, anonymous: the answer is the one that everybody is given.
const (
	requestHead = "GET /health HTTP/1.1\r\nHost: "
	requestTail = "\r\nUser-Agent: reims-health-fleet\r\nAccept: application/json\r\n"
	requestEnd  = "\r\n"
	closing     = "Connection: close\r\n"
)

// asker puts the question to sidecars. It speaks HTTP/1.1 itself, on top of the standard
// library's reader of responses: an idle connection of an [http.Transport] costs two
// goroutines and two buffers, which are 250 MB for 10,000 Pods; here it costs a socket.
// It follows no redirect and uses no proxy.
type asker struct {
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	// certificate returns that for sidecars that ask for one; nil: none.
	certificate func() (tls.Certificate, error)
	readers     sync.Pool // of *bufio.Reader
	get         *http.Request
}

func newAsker(timeout time.Duration, dial func(context.Context, string, string) (net.Conn, error), certificate func() (tls.Certificate, error)) *asker {
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: -1}).DialContext // the next question tells
	}
	return &asker{
		timeout: timeout, dial: dial, certificate: certificate,
		readers: sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }},
		get:     &http.Request{Method: http.MethodGet},
	}
}

// peer is whom to ask: an address and, for HTTPS, how to know it.
type peer struct {
	address netip.AddrPort
	tls     *tls.Config // nil: HTTP
}

// newTLS returns how to know the sidecars of a target; nil where they are asked by HTTP. A
// bundle with no certificate trusts none.
func newTLS(t *Target) *tls.Config {
	if len(t.CA) == 0 {
		return nil
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(t.CA)
	return &tls.Config{RootCAs: roots, ServerName: t.ServerName, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// ask puts the question, and returns the body of the answer or why there is none. It uses
// the connection if there is one, and else, or where that has ended meanwhile, another one.
// It returns the connection for the next question; nil where keep is false or it cannot be
// used again. It takes no longer than the timeout.
func (a *asker) ask(ctx context.Context, p peer, conn net.Conn, keep bool) (body []byte, rest net.Conn, failure Failure) {
	deadline := time.Now().Add(a.timeout)
	for kept := conn != nil; ; kept = false {
		if !kept {
			var err error
			if conn, err = a.connect(ctx, p, deadline); err != nil {
				return nil, nil, failureOf(err)
			}
		}
		answer, again, err := a.exchange(ctx, p, conn, deadline, keep)
		if err != nil || !again || !keep {
			_ = conn.Close()
			conn = nil
		}
		if kept && isUnreachable(err) && ctx.Err() == nil && time.Now().Before(deadline) {
			continue // the sidecar had closed it
		}
		return answer, conn, failureOf(err)
	}
}

func (a *asker) connect(ctx context.Context, p peer, deadline time.Time) (net.Conn, error) {
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
		return nil, failed(FailureTLS)
	}
	return secure, nil
}

// exchange sends the request and reads the response. again reports whether the connection
// can be used for another one.
func (a *asker) exchange(ctx context.Context, p peer, conn net.Conn, deadline time.Time, keep bool) (body []byte, again bool, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // when the program ends
	defer stop()
	if _, err := io.WriteString(conn, request(p, keep)); err != nil {
		return nil, false, err
	}
	reader, _ := a.readers.Get().(*bufio.Reader)
	defer func() {
		reader.Reset(nil)
		a.readers.Put(reader)
	}()
	limited := &io.LimitedReader{R: conn, N: maxResponse}
	reader.Reset(limited)
	response, err := http.ReadResponse(reader, a.get)
	if err != nil {
		return nil, false, readError(ctx, err, limited)
	}
	defer response.Body.Close()
	if err := judge(response); err != nil {
		return nil, false, err
	}
	body, err = readBody(response)
	switch {
	case err != nil:
		return nil, false, readError(ctx, err, limited)
	case len(body) > maxAnswer:
		return nil, false, failed(FailureProtocol)
	}
	return body, !response.Close && reader.Buffered() == 0, nil
}

// readBody reads at most one byte more than an answer may have.
func readBody(r *http.Response) ([]byte, error) {
	if n := r.ContentLength; n >= 0 { // at most maxAnswer
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
}

func request(p peer, keep bool) string {
	text := requestHead + p.address.String() + requestTail
	if !keep {
		text += closing
	}
	return text + requestEnd
}

// judge says whether a response can be the answer, by its header.
func judge(r *http.Response) error {
	switch code := r.StatusCode; {
	case code >= 300 && code < 400:
		return failed(FailureProtocol) // no sidecar redirects
	case code != http.StatusOK && code != http.StatusServiceUnavailable:
		return failed(FailureStatus)
	}
	const want = "application/json"
	if text := r.Header.Get("Content-Type"); text != want {
		if media, _, err := mime.ParseMediaType(text); err != nil || media != want {
			return failed(FailureProtocol)
		}
	}
	if r.ContentLength > maxAnswer {
		return failed(FailureProtocol)
	}
	return nil
}

// failed is an error with its failure.
type failed Failure

func (f failed) Error() string { return string(f) }

// readError is why a response could not be read: there was no more time, the network's error,
// or that it is no response.
func readError(ctx context.Context, err error, limited *io.LimitedReader) error {
	switch {
	case limited.N <= 0:
		return failed(FailureProtocol)
	case ctx.Err() != nil:
		return ctx.Err()
	case isAlert(err): // TLS 1.3 refuses a client certificate after the handshake
		return failed(FailureTLS)
	case isTimeout(err), isUnreachable(err):
		return err
	default:
		return failed(FailureProtocol)
	}
}

func failureOf(err error) Failure {
	var known failed
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

// isAlert reports whether the sidecar ended the connection by an alert of TLS.
func isAlert(err error) bool {
	var alert tls.AlertError
	var network *net.OpError
	return errors.As(err, &alert) || errors.As(err, &network) && network.Op == "remote error"
}

// isUnreachable reports whether the connection ended: by the system's word, or in the middle.
func isUnreachable(err error) bool {
	var network *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.As(err, &network) && !network.Timeout()
}
