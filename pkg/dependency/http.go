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
	// Scheme is the variable that chooses between HTTP and HTTPS, for the advice in
	// messages.
	Scheme string
	// TLS is the configuration of HTTPS.
	TLS *tls.Config
	// Timeout bounds what a cancelled check leaves behind: net/http finishes a dial that
	// nobody waits for any more.
	Timeout time.Duration
	// Lookup resolves the server's host. The default is the system's resolver.
	Lookup dial.LookupFunc
	// BodyStart is how much is read of a body, in bytes, where the rest does not matter.
	// The default, 0, is to read bodies whole; one above maxHTTPReply is a fault then.
	BodyStart int64
	// Certificate is what to do about a server that asks for a client certificate. The
	// default is to let it accept clients without one.
	Certificate string
}

// HTTPClient speaks HTTP with one server on at most one connection at a time,
// which is dialled afresh once per minute and on Redial. It takes no proxy from the
// environment and follows no redirect. A request on a connection that had died meanwhile
// is sent once more on a fresh one, by net/http, unless it is a POST.
type HTTPClient struct {
	Redialer
	http    *http.Client
	dialer  *dial.Dialer
	options HTTPOptions
}

// HTTPReply is a whole answer.
type HTTPReply struct {
	Status int
	Header http.Header
	Body   []byte
	// Latency is from the moment there was a connection to the end of the body.
	Latency time.Duration
}

// NewHTTPClient does not connect.
func NewHTTPClient(o HTTPOptions) *HTTPClient {
	o.Certificate = cmp.Or(o.Certificate, "let it accept clients without one")
	return &HTTPClient{options: o, dialer: &dial.Dialer{Lookup: o.Lookup, Timeout: o.Timeout}, http: &http.Client{
		Transport: unfollowed{&http.Transport{
			DialContext:            dialRoute,
			TLSClientConfig:        o.TLS,
			TLSHandshakeTimeout:    o.Timeout,
			MaxIdleConnsPerHost:    1,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
	return nil
}

// Begin is called once at the start of a check. It reports whether the connection
// is a new one.
func (c *HTTPClient) Begin() bool {
	expired := c.Expired(time.Now())
	if expired {
		c.http.CloseIdleConnections()
	}
	return expired
}

// routeKey is that of the [dial.Route] of a request's context.
type routeKey struct{}

// dialRoute dials for a request of [HTTPClient.Do].
func dialRoute(ctx context.Context, network, addr string) (net.Conn, error) {
	route, ok := ctx.Value(routeKey{}).(*dial.Route)
	if !ok {
		return nil, errors.New("dial " + addr + ": the request has no route")
	}
	return route.DialContext(ctx, network, addr)
}

// Do sends the request and reads the whole answer, whatever its status. After a
// failure of the network on a fresh connection, a request without a body is sent to
// the host's other addresses too. Its error is a [health.Fault]; of an answer that is
// too large there is the beginning as well.
func (c *HTTPClient) Do(req *http.Request) (HTTPReply, error) {
	route := c.dialer.Route()
	req = req.WithContext(context.WithValue(req.Context(), routeKey{}, route))
	var told *health.Fault
	for {
		reply, err := c.send(req)
		if err == nil {
			return reply, nil
		}
		fault := NetworkFault(err)
		told = MoreTelling(told, fault)
		if !FromNetwork(fault) || !route.Left() || req.Body != nil || req.Context().Err() != nil {
			return reply, told
		}
	}
}

// send sends the request once.
func (c *HTTPClient) send(req *http.Request) (HTTPReply, error) {
	var ready time.Time
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { ready = time.Now() }}
	reply, err := c.exchange(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil && reply.asksForTLS() {
		err = errAsksForTLS
	}
	if err != nil {
		return reply, c.fault(req, err, !ready.IsZero())
	}
	reply.Latency = time.Since(ready)
	return reply, nil
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
	return HTTPReply{Status: resp.StatusCode, Header: resp.Header, Body: body}, err
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
		return &health.Fault{Reason: health.ReasonTLS, Message: "the server speaks HTTP, and " + c.options.Scheme + " says HTTPS", Err: err}
	case strings.Contains(err.Error(), "server closed idle connection"):
		fault.Reason = health.ReasonReset
	case connected && fault.Reason == health.ReasonError:
		fault.Reason = health.ReasonProtocol
	case fault.Reason == health.ReasonTLS && fault.Message == "":
		fault.Message = CertificateMessage(err, "the server, or a proxy before it,", c.options.Certificate)
	}
	if errors.Is(err, errAsksForTLS) || !secure && WantsTLS(req.Context(), c.dialer, fault, "tcp", hostPort(req.URL), c.options.Timeout/4) {
		return &health.Fault{Reason: health.ReasonTLS, Message: "the server speaks HTTPS, and " + c.options.Scheme + " says HTTP", Err: err}
	}
	return fault
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
