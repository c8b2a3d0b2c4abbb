package grpc

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dial"
	"github.com/reims/reims-health/pkg/health"
)

// maxAnswer is how much is read of an answer, in bytes; a usual one has 7.
const maxAnswer = 4 << 10

// Options say which server to ask, and for what.
type Options struct {
	// Addr is host:port.
	Addr string
	// Secure chooses TLS.
	Secure bool
	// Service is the name that the server's health service is asked for. Empty: the server
	// as a whole.
	Service string
	// CAFile holds the certificates to trust; see [dependency.TLSConfig].
	CAFile string
	// Certificates remembers those of the server. Nil: they are not remembered.
	Certificates *dependency.Certificates
	// Timeout bounds a check, dialling included.
	Timeout time.Duration
	// Prefix is that of the service's variables, for the advice in messages.
	Prefix dependency.Prefix
	// Lookup resolves the host of Addr. The default is the system's resolver.
	Lookup dial.LookupFunc
}

// Checker checks a gRPC server by one call of grpc.health.v1.Health/Check. gRPC is a POST
// over HTTP/2 whose status comes in the trailer; net/http does it.
type Checker struct {
	web      *dependency.HTTPClient
	options  Options
	endpoint string // as in the URL of NAME_CHECK
}

var (
	_ health.Checker  = (*Checker)(nil)
	_ health.Redialer = (*Checker)(nil)
)

// New returns a checker of the server at options.Addr. It does not connect.
func New(options Options) *Checker {
	host := options.Addr
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	protocols, scheme := new(http.Protocols), "grpc"
	if options.Secure {
		protocols.SetHTTP2(true)
		scheme = "grpcs"
	} else {
		protocols.SetUnencryptedHTTP2(true)
	}
	endpoint := url.URL{Scheme: scheme, Host: options.Addr}
	if options.Service != "" {
		endpoint.Path = "/" + options.Service
	}
	return &Checker{
		web: dependency.NewHTTPClient(dependency.HTTPOptions{
			Scheme: "{CHECK}", Secure: "TLS", Plain: "no TLS", TLS: dependency.TLSConfig(options.CAFile, host, options.Certificates),
			Protocols: protocols, BodyStart: maxAnswer, Timeout: options.Timeout, Lookup: options.Lookup,
		}),
		options:  options,
		endpoint: endpoint.String(),
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
		return seen, &health.Fault{Reason: health.ReasonError, Message: "the URL in {CHECK} cannot be asked for", Err: err}
	}
	reply, err := c.web.Do(req)
	if err != nil {
		return seen, err
	}
	status, fault := c.answer(reply)
	if fault != nil {
		return seen, fault
	}
	seen.Latency = reply.Latency
	seen.Values = append(seen.Values, health.Text("serving_status", servingStatus(status)))
	if fault := c.judge(status); fault != nil {
		return seen, fault
	}
	return seen, nil
}

func (c *Checker) request(ctx context.Context) (*http.Request, error) {
	target := url.URL{Scheme: "http", Host: c.options.Addr, Path: "/grpc.health.v1.Health/Check"}
	if c.options.Secure {
		target.Scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(request(c.options.Service)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", "reims-health")
	if deadline, ok := ctx.Deadline(); ok {
		req.Header.Set("Grpc-Timeout", strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 1), 10)+"m")
	}
	dependency.Repeatable(req)
	return req, nil
}

// answer returns the ServingStatus that an answer holds, or what is wrong with it.
func (c *Checker) answer(reply dependency.HTTPReply) (status int32, fault *health.Fault) {
	if reply.Status != http.StatusOK || !isGRPC(reply.Header.Get("Content-Type")) {
		fault := reply.StrangerFault("the gRPC server", "a gRPC server", "{CHECK}", "{CHECK}")
		if strings.HasPrefix(reply.Proto, "HTTP/1") && reply.Status < http.StatusInternalServerError {
			fault.Message = "the server speaks HTTP/1, and not HTTP/2: see {CHECK}"
		}
		return 0, fault
	}
	// An answer without a message may have its trailer in the place of the header.
	text := cmp.Or(reply.Trailer.Get("Grpc-Status"), reply.Header.Get("Grpc-Status"))
	code, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, &health.Fault{
			Reason:  health.ReasonProtocol,
			Message: "the gRPC server's answer has no end with a status, as where a proxy drops trailers, or is far larger than such an answer",
			Err:     fmt.Errorf("grpc-status %q after %d bytes", text, len(reply.Body)),
		}
	}
	if code != codeOK {
		return 0, c.codeFault(code, cmp.Or(reply.Trailer.Get("Grpc-Message"), reply.Header.Get("Grpc-Message")))
	}
	status, err = response(reply.Body)
	if err != nil {
		return 0, &health.Fault{Reason: health.ReasonProtocol, Message: "the gRPC server's answer is not one of a health service", Err: err}
	}
	return status, nil
}

// isGRPC reports whether an answer is in gRPC's form: application/grpc, which may be
// followed by +proto or by parameters.
func isGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(contentType), "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// judge returns the fault of a status that is not SERVING, or nil.
func (c *Checker) judge(status int32) *health.Fault {
	if status == statusServing {
		return nil
	}
	fault := &health.Fault{Reason: ReasonNotServing, Message: "the gRPC server says " + servingStatus(status) + c.about(), Err: fmt.Errorf("serving status %d", status)}
	if status == statusServiceUnknown {
		fault.Message = c.unknownService()
	}
	return fault
}

// about says what was asked for.
func (c *Checker) about() string {
	if c.options.Service == "" {
		return " of itself as a whole"
	}
	return " of the service that {CHECK} names"
}

func (c *Checker) unknownService() string {
	if c.options.Service == "" {
		return "the gRPC server's health service does not know the server as a whole: name one of its services in {CHECK}"
	}
	return "the gRPC server's health service does not know the service that {CHECK} names"
}
