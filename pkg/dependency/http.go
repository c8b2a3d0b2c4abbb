package dependency

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxHTTPReply is the size of the largest body that is read: thousands of
// buckets or models.
const maxHTTPReply = 4 << 20

// maxHTTPStart is how much is kept of a larger one, to see whose it is.
const maxHTTPStart = 4 << 10

// HTTPOptions say how an [HTTPClient] speaks with its server.
type HTTPOptions struct {
	// Scheme is the variable that chooses between the two, for the advice in messages.
	Scheme string
	// Secure and Plain are what messages call the two. The default is HTTPS and HTTP.
	Secure, Plain string
	// TLS is the configuration of what is called Secure.
	TLS *tls.Config
	// Timeout bounds a dial. After a check was cancelled, net/http finishes the dial that it
	// has begun.
	Timeout time.Duration
	// Lookup resolves the server's host. The default is the system's resolver.
	Lookup dial.LookupFunc
	// Protocols are the versions of HTTP that are spoken. The default is HTTP/1 alone.
	Protocols *http.Protocols
	// BodyStart is how much is read of a body, in bytes, where the rest does not matter.
	// The default, 0, is to read bodies whole; one above maxHTTPReply is a fault then.
	BodyStart int64
	// Certificate is what to do about a server that asks for a client certificate. The
	// default is to let it accept clients without one.
	Certificate string
}

// HTTPClient speaks HTTP with one server on at most one connection at a time,
// which is dialled afresh on Redial. It takes no proxy from the
// environment and follows no redirect. A request on a connection that had died meanwhile
// is sent once more on a fresh one, by net/http, unless it is a POST.
type HTTPClient struct {
	Redialer
	http    *http.Client
	dialer  *dial.Dialer
	options HTTPOptions
	last    atomic.Pointer[answering] // the one that was dialled last
}

// HTTPReply is a whole answer.
type HTTPReply struct {
	Status int
	// Proto is the version of HTTP, such as HTTP/1.1.
	Proto  string
	Header http.Header
	Body   []byte
	// Trailer is what follows the body.
	Trailer http.Header
	// Latency is from the moment there was a connection to the end of the body.
	Latency time.Duration
}

// NewHTTPClient does not connect.
func NewHTTPClient(o HTTPOptions) *HTTPClient {
	o.Secure, o.Plain = cmp.Or(o.Secure, "HTTPS"), cmp.Or(o.Plain, "HTTP")
	o.Certificate = cmp.Or(o.Certificate, "let it accept clients without one")
	c := &HTTPClient{options: o, dialer: &dial.Dialer{Lookup: o.Lookup, Timeout: o.Timeout}}
	c.http = &http.Client{
		Transport: unfollowed{&http.Transport{
			DialContext:            c.dialRoute,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    o.Timeout,
			MaxIdleConnsPerHost:    1,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
			Protocols:              o.Protocols, // HTTP2 alone changes none
			HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: maxHTTP2Buffer, MaxReceiveBufferPerConnection: maxHTTP2Buffer},
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// unfollowed takes a Location that is no URL out of an answer: net/http's client parses
// it before it asks whether to follow, and would lose the answer.
type unfollowed struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (u unfollowed) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := u.Transport.RoundTrip(req)
	if err == nil {
		if _, err := url.Parse(resp.Header.Get("Location")); err != nil {
			resp.Header.Del("Location")
		}
	}
	return resp, err
}

// Close gives up the idle connection. It must not run beside a check.
func (c *HTTPClient) Close() error {
	c.http.CloseIdleConnections()
	// To net/http, one of HTTP/2 is busy for a while after its request was cancelled.
	if conn := c.last.Swap(nil); conn != nil {
		_ = conn.Close()
	}
	return nil
}

// Begin is called once at the start of a check. It reports whether the connection
// is a new one.
func (c *HTTPClient) Begin() bool {
	expired := c.Expired()
	if expired {
		_ = c.Close()
	}
	return expired
}

// routeKey is that of the [dial.Route] of a request's context.
type routeKey struct{}

// dialRoute dials for a request of Do.
func (c *HTTPClient) dialRoute(ctx context.Context, network, addr string) (net.Conn, error) {
	route, ok := ctx.Value(routeKey{}).(*dial.Route)
	if !ok {
		return nil, errors.New("dial " + addr + ": the request has no route")
	}
	conn, err := route.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	answering := &answering{Conn: conn}
	c.last.Store(answering)
	return answering, nil
}

// answering is a connection that knows whether the server ended it after an answer of HTTP/1
// had begun. To net/http, a line that is cut is a malformed one.
type answering struct {
	net.Conn
	begun int // how much of httpStart the server has sent; -1 where it sent anything else
	cut   atomic.Bool
}

// httpStart is what answers of HTTP/1 begin with.
const httpStart = "HTTP/1."

// Read implements [net.Conn].
func (a *answering) Read(b []byte) (int, error) {
	n, err := a.Conn.Read(b)
	if a.begun >= 0 {
		expected := httpStart[a.begun:]
		expected = expected[:min(n, len(expected))]
		if string(b[:len(expected)]) == expected {
			a.begun += len(expected)
		} else {
			a.begun = -1
		}
	}
	if a.begun > 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		a.cut.Store(true)
	}
	return n, err
}

// cutShort reports whether the server ended the latest connection after it had begun to answer.
func (c *HTTPClient) cutShort() bool {
	conn := c.last.Load()
	return conn != nil && conn.cut.Load()
}

// Do sends the request and reads the whole answer, whatever its status. After a
// failure of the network on a fresh connection, a request that [Repeatable] allows to is
// sent to the host's other addresses too. Its error is a [health.Fault]; of an answer that is
// too large there is the beginning as well.
func (c *HTTPClient) Do(req *http.Request) (HTTPReply, error) {
	route := c.dialer.Route()
	req = req.WithContext(context.WithValue(req.Context(), routeKey{}, route))
	var told *health.Fault
	for first := true; ; first = false {
		reply, reused, err := c.send(req, route)
		if err == nil {
			return reply, nil
		}
		fault := NetworkFault(err)
		if first && reused && fault.Reason == health.ReasonReset && c.options.Protocols != nil && rewind(req) {
			continue // as net/http itself does with HTTP/1
		}
		told = MoreTelling(told, fault)
		if !FromNetwork(fault) || !route.Left() || req.Context().Err() != nil || !rewind(req) {
			if c.options.Protocols != nil { // with HTTP/1, net/http gives the connection up
				c.Redial()
			}
			return reply, told
		}
	}
}

// send sends the request once. It reports whether it did so on a connection that it had
// kept.
func (c *HTTPClient) send(req *http.Request, route *dial.Route) (reply HTTPReply, reused bool, err error) {
	var ready time.Time
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { ready, reused = time.Now(), got.Reused }}
	reply, err = c.exchange(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil && reply.asksForTLS() {
		err = errAsksForTLS
	}
	if err != nil && !reused {
		err = c.beginning(req, route, err)
	}
	if err != nil {
		return reply, reused, c.fault(req, err, !ready.IsZero())
	}
	reply.Latency = time.Since(ready)
	return reply, reused, nil
}

func (c *HTTPClient) exchange(req *http.Request) (HTTPReply, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return HTTPReply{}, err
	}
	// What is left of a body that was not read to its end goes away with the
	// connection.
	defer func() { _ = resp.Body.Close() }()
	body, err := c.read(resp)
	if errors.Is(err, ErrReplyTooLarge) {
		body = body[:min(len(body), maxHTTPStart)]
	}
	return HTTPReply{Status: resp.StatusCode, Proto: resp.Proto, Header: resp.Header, Body: body, Trailer: resp.Trailer}, err
}

// read returns the body, or its beginning where that is all that matters.
func (c *HTTPClient) read(resp *http.Response) ([]byte, error) {
	start := c.options.BodyStart
	if start == 0 {
		return readAtMost(resp, maxHTTPReply)
	}
	// One byte more, to see the end of a body that is just as long: its connection is kept.
	body, err := io.ReadAll(io.LimitReader(resp.Body, start+1))
	return body[:min(int64(len(body)), start)], err
}

// readAtMost returns the beginning of a body that is too large.
func readAtMost(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxHTTPStart))
		return body, cmp.Or(err, ErrReplyTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = ErrReplyTooLarge
	}
	return body, err
}

// asksForTLS knows what net/http's server and nginx answer to plain HTTP on a
// port that speaks HTTPS.
func (r HTTPReply) asksForTLS() bool {
	body := string(r.Body)
	return r.Status == http.StatusBadRequest && (strings.Contains(body, "HTTP request to an HTTPS server") ||
		strings.Contains(body, "plain HTTP request was sent to HTTPS port"))
}

// ErrReplyTooLarge is the cause of the fault of an answer that is larger than such a
// server's.
var ErrReplyTooLarge = errors.New("the reply is larger than the limit")

var errAsksForTLS = errors.New("the answer asks for HTTPS")

// fault classifies a request that failed. For most of what can be wrong with an
// answer net/http has no type; so what fails once there is a connection, and is
// not the network's fault, is the answer's.
func (c *HTTPClient) fault(req *http.Request, err error, connected bool) *health.Fault {
	secure := req.URL.Scheme == "https"
	fault := NetworkFault(err)
	switch {
	case errors.Is(err, ErrReplyTooLarge):
		return &health.Fault{Reason: health.ReasonProtocol, Message: "the answer is far larger than such a server's", Err: err}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &health.Fault{Reason: health.ReasonTLS, Message: c.speaks(c.options.Plain, c.options.Secure), Err: err}
	case strings.Contains(err.Error(), "server closed idle connection"), strings.Contains(err.Error(), "http2: client conn is closed"):
		fault.Reason = health.ReasonReset
	case secure && errors.As(err, new(tls.RecordHeaderError)):
		fault.Message = "the server speaks no TLS, and " + c.options.Scheme + " says " + c.options.Secure
	case http2Message(err) != "":
		fault.Message = http2Message(err) + ": see " + c.options.Scheme
		if fault.Reason == health.ReasonError {
			fault.Reason = health.ReasonProtocol
		}
	case fault.Reason == health.ReasonError && connected && c.cutShort():
		fault.Reason = health.ReasonReset
	case fault.Reason == health.ReasonError && (connected || strings.Contains(err.Error(), "readLoopPeekFailLocked")): // it spoke before it was asked
		fault.Reason = health.ReasonProtocol
	case fault.Reason == health.ReasonTLS && fault.Message == "":
		fault.Message = CertificateMessage(err, "the server, or a proxy before it,", c.options.Certificate)
	}
	if errors.Is(err, errAsksForTLS) || !secure && WantsTLS(req.Context(), c.dialer, fault, "tcp", hostPort(req.URL), c.options.Timeout/4) {
		return &health.Fault{Reason: health.ReasonTLS, Message: c.speaks(c.options.Secure, c.options.Plain), Err: err}
	}
	return fault
}

func (c *HTTPClient) speaks(one, other string) string {
	return "the server speaks " + one + ", and " + c.options.Scheme + " says " + other
}

// hostPort returns where to dial for a URL of plain HTTP.
func hostPort(u *url.URL) string {
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

// Get asks for url with GET.
func (c *HTTPClient) Get(ctx context.Context, url string) (HTTPReply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return HTTPReply{}, &health.Fault{Reason: health.ReasonError, Err: err}
	}
	return c.Do(req)
}

// IsPage reports whether the answer is a web page.
func (r HTTPReply) IsPage() bool {
	start := strings.ToLower(strings.TrimSpace(string(r.Body[:min(len(r.Body), 256)])))
	return strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") ||
		strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// StrangerFault returns the fault of an answer that is not in the form of the
// service itself. Something in between gave it, such as a proxy or a balancer, or a
// wrong server: it says nothing about the service, so it is neither degraded nor a
// proof. Kind is what the server should be, address names the variables that led
// there, scheme the one that chooses HTTPS.
func (r HTTPReply) StrangerFault(server, kind, address, scheme string) *health.Fault {
	fault := &health.Fault{
		Reason:  health.ReasonProtocol,
		Message: "what answers at " + address + " is not " + kind,
		Err:     fmt.Errorf("answer %d, not in the form of %s", r.Status, server),
	}
	location, _ := url.Parse(r.Header.Get("Location"))
	switch {
	case r.Status == http.StatusTooManyRequests || r.Status >= http.StatusInternalServerError:
		fault.Message = fmt.Sprintf("something between the sidecar and %s answered in its place, with status %d: "+
			"look at the proxy or load balancer at %s, and at whether it reaches %s", server, r.Status, address, server)
	case r.Status >= 300 && r.Status < 400 && location != nil && location.Scheme == "https":
		fault.Message = fmt.Sprintf("something at %s redirects to HTTPS, and is not followed: see %s", address, scheme)
	case r.Status >= 300 && r.Status < 400:
		fault.Message = fmt.Sprintf("something between the sidecar and %s redirects, as a proxy does to its login page: "+
			"let the sidecar pass without a login", server)
	case r.IsPage():
		fault.Message = fmt.Sprintf("a web page with status %d came instead of an answer of %s: "+
			"something in between answered, such as a proxy with its login page, or %s is another server's", r.Status, server, address)
	}
	return fault
}
