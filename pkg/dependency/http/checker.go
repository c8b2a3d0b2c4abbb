package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxBody is how much is read of a body, in bytes.
const maxBody = 64 << 10

// Options say what to ask for, and which answers are healthy.
type Options struct {
	// URL is asked for with GET. Its query is never shown.
	URL url.URL
	// Statuses are healthy.
	Statuses []Statuses
	// Body must match somewhere in the first 64 kB of the body. Nil: any body is healthy.
	Body *regexp.Regexp
	// Token is called at each check, so that a rotated one needs no restart. Its error
	// fails the check with [health.ReasonAuth]. Nil: no token is sent.
	Token func(context.Context) (string, error)
	// CAFile holds the certificates to trust; see [dependency.TLSConfig].
	CAFile string
	// Certificates remembers those of the server. Nil: they are not remembered.
	Certificates *dependency.Certificates
	// CertFile and KeyFile hold the client certificate and its key; see
	// [dependency.ClientCertificate]. Empty: there is none.
	CertFile, KeyFile string
	// Timeout bounds a check, dialling included.
	Timeout time.Duration
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
	// Lookup resolves the host of URL. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks an HTTP server by one GET, whose answer is read up to its first 64 kB.
// Redirects are not followed.
type Checker struct {
	web      *dependency.HTTPClient
	options  Options
	endpoint string // URL without its query
}

var (
	_ health.Checker  = (*Checker)(nil)
	_ health.Redialer = (*Checker)(nil)
)

// New returns a checker of the server at options.URL. It does not connect.
func New(options Options) *Checker {
	cfg := dependency.TLSConfig(options.CAFile, options.URL.Hostname(), options.Certificates)
	if options.CertFile != "" {
		dependency.ClientCertificate(cfg, options.CertFile, options.KeyFile)
	}
	return &Checker{
		web: dependency.NewHTTPClient(dependency.HTTPOptions{
			Scheme: "{CHECK}", TLS: cfg, Timeout: options.Timeout, Lookup: options.Lookup,
			BodyStart: maxBody, Certificate: "give it one with {CERT_FILE} and {KEY_FILE}",
		}),
		options:  options,
		endpoint: (&url.URL{Scheme: options.URL.Scheme, Host: options.URL.Host, Path: options.URL.Path, RawPath: options.URL.RawPath}).String(),
	}
}

// Redial implements [health.Redialer].
func (c *Checker) Redial() { c.web.Redial() }

// Close gives up the connection. It must not run beside Check.
func (c *Checker) Close() error { return c.web.Close() }

// Check implements [health.Checker].
func (c *Checker) Check(ctx context.Context) (health.Observation, error) {
	return c.options.Prefix.Explain(c.check(ctx))
}

func (c *Checker) check(ctx context.Context) (health.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	c.web.Begin()

	seen := health.Observation{Values: []health.Value{health.Text("endpoint", c.endpoint)}}
	req, err := c.request(ctx)
	if err != nil {
		return seen, err
	}
	reply, err := c.web.Do(req)
	if err != nil {
		return seen, c.networkFault(err)
	}
	seen.Latency = reply.Latency
	seen.Values = append(seen.Values, health.Number("status_code", reply.Status))
	if fault := c.judge(reply); fault != nil {
		return seen, fault
	}
	return seen, nil
}

func (c *Checker) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.options.URL.String(), nil)
	if err != nil {
		return nil, &health.Fault{Reason: health.ReasonError, Message: "the URL in {CHECK} cannot be asked for", Err: c.hideQuery(err)}
	}
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", "reims-health")
	if c.options.Token == nil {
		return req, nil
	}
	token, err := c.options.Token(ctx)
	switch {
	case err != nil:
	case token == "":
		err = errors.New("the token is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		err = errors.New("the token holds a space, a line break or another character that cannot be sent in a header")
	}
	if err != nil {
		return nil, &health.Fault{
			Reason:  health.ReasonAuth,
			Message: "the token is empty, cannot be read or cannot be sent in a header: see the file that {TOKEN_FILE} names",
			Err:     err,
		}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// networkFault completes the fault of a request that got no answer.
func (c *Checker) networkFault(err error) error {
	fault := dependency.NetworkFault(err)
	fault.Err = c.hideQuery(fault.Err)
	var op *net.OpError
	if c.options.CertFile != "" && fault.Reason == health.ReasonTLS && errors.As(err, &op) && op.Op == "remote error" {
		fault.Message = "the server, or a proxy before it, refused the TLS handshake: see the client certificate in {CERT_FILE}"
	}
	return fault
}

// hideQuery replaces the URL in an error of net/http.
func (c *Checker) hideQuery(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	return fmt.Errorf("%s %s: %w", failed.Op, c.endpoint, failed.Err)
}

// judge returns the fault of an answer, or nil.
func (c *Checker) judge(reply dependency.HTTPReply) *health.Fault {
	expected := slices.ContainsFunc(c.options.Statuses, func(s Statuses) bool { return s.First <= reply.Status && reply.Status <= s.Last })
	fault := &health.Fault{Err: fmt.Errorf("answer %d with %d bytes read of its body", reply.Status, len(reply.Body))}
	switch {
	case expected && c.options.Body != nil && !c.options.Body.Match(reply.Body):
		fault.Reason = ReasonBody
		fault.Message = fmt.Sprintf("the answer has the status %d, and the first 64 kB of its body do not match {EXPECT_BODY}", reply.Status)
	case expected:
		return nil
	case reply.Status == http.StatusTooManyRequests:
		fault.Reason = health.ReasonOverloaded
		fault.Message = "the server answers with status 429: it asks for fewer requests"
	default:
		fault.Reason = ReasonStatus
		fault.Message = fmt.Sprintf("the answer has the status %d", reply.Status) + c.advice(reply)
	}
	return fault
}

// advice says what to look at where the status is not an expected one.
func (c *Checker) advice(reply dependency.HTTPReply) string {
	switch status := reply.Status; {
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && c.options.Token != nil:
		return ": the server, or a proxy before it, does not accept the token: see {TOKEN} or the file that {TOKEN_FILE} names"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return ": the server, or a proxy before it, asks for a login: {TOKEN_FILE} may name a file with a token"
	case status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout:
		return ": the server, or a proxy or load balancer before it, says that it cannot serve"
	case status >= 300 && status < 400:
		return ", a redirect, which is not followed: see {EXPECT_STATUS}"
	default:
		return ": see the path of the URL in {CHECK}, {EXPECT_STATUS} and the server's log"
	}
}
