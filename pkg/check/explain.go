package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
)

var errTimeout = errors.New("no answer")

// explain says what an error means and what to look at.
func explain(ctx context.Context, err error, o Options) error {
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		plain     tls.RecordHeaderError
	)
	role := o.Role.words()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &dns):
		return unresolved(dns, o)
	case errors.Is(err, syscall.ECONNREFUSED):
		return advise("connection refused: nothing listens there", role.refused)
	case os.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w within %s\n  %s; --timeout waits longer", errTimeout, o.Timeout, role.silent)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return advise("there is no route to the host", "is the address right, and reachable from here?")
	case errors.As(err, &authority):
		return advise("the certificate's authority is unknown", "--ca-file names a PEM file with it; --insecure takes any certificate")
	case errors.As(err, &name):
		return advise(Printable(name.Error()), "ask by the name in the certificate; --insecure takes any")
	case errors.As(err, &invalid):
		return advise(Printable(invalid.Error()), "is the certificate up to date? --insecure takes any")
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return advise("the answer is no TLS", role.plain+": http:// rather than https://?")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return advise("the connection was closed without an answer", "is that port "+role.whose+"?")
	// The second is what net/http says where the server speaks before it is asked.
	case strings.Contains(err.Error(), "malformed HTTP"), strings.Contains(err.Error(), "readLoopPeekFailLocked"):
		return advise("the answer is no HTTP", "is that port "+role.whose+"? Another protocol is spoken there")
	}
	return err
}

// unresolved says why a name has no address: it does not exist, or the name server did
// not answer, or it answered that it does not know. The sidecar was not asked.
func unresolved(err *net.DNSError, o Options) error {
	const server = "is the DNS up, and is port 53 (UDP and TCP) open from here to the servers of /etc/resolv.conf? The sidecar itself was not asked"
	switch {
	case err.IsNotFound:
		return advise(fmt.Sprintf("the host %q was not found", err.Name), "is the name right, and does it resolve here? A cluster's names resolve in its Pods only")
	case err.IsTimeout:
		return advise(fmt.Sprintf("the name server did not answer within %s, so %q has no address", o.Timeout, err.Name), server+"; --timeout waits longer")
	default:
		return advise(fmt.Sprintf("the name server did not look up %q: it refused or failed (%s)", err.Name, Printable(err.Err)), server)
	}
}

// lookup follows the name resolution of a request. The client gives up at its timeout
// without telling what it was waiting for.
type lookup struct{ pending atomic.Bool }

func (l *lookup) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { l.pending.Store(true) },
		DNSDone:  func(httptrace.DNSDoneInfo) { l.pending.Store(false) },
	})
}

// blame returns the error of a request for the host: one of the lookup, where that
// was still going on when the time was over.
func (l *lookup) blame(err error, host string) error {
	if l.pending.Load() && (os.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded)) {
		return &net.DNSError{Err: "no answer in time", Name: host, IsTimeout: true}
	}
	return err
}

func advise(what, next string) error { return fmt.Errorf("%s\n  %s", what, next) }

// foreign says what an answer is that no sidecar gives, or "".
func foreign(a *Answer) string {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	page := kind == "text/html" && a.Path == "/"
	if page || kind == "application/json" || kind == "text/plain" && strings.Contains(a.Path, "verbose") {
		return ""
	}
	what := Shorten(Printable(kind)) + " answer"
	switch {
	case kind == "text/html":
		what = "an HTML page"
	case kind == "":
		what = "an answer of no type"
	case kind == "text/plain":
		what = "a plain text"
	}
	if to := a.Header.Get("Location"); to != "" {
		what = "a redirection" // where to is not shown: it may hold a secret
	}
	if server := a.Header.Get("Server"); server != "" {
		what += " of " + Shorten(Printable(server))
	}
	return fmt.Sprintf("%s (%d %s)", what, a.Code, http.StatusText(a.Code))
}

// strange is the error for an address that something else answers at.
func (c *Client) strange(a *Answer, what string) error {
	err := advise("got "+what+": "+c.options.Role.words().none, c.options.Role.words().elsewhere)
	if a.Code == http.StatusBadRequest && strings.Contains(string(a.Body), "HTTPS server") {
		err = advise("TLS is spoken there", "https:// rather than http://?")
	}
	return fmt.Errorf("GET %s%s: %w", c.URL(), a.Path, err)
}
