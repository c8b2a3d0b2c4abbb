package dependency

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/reims/reims-health/pkg/health"
)

// NetworkFault classifies an error from below a driver: of the resolver, the socket, TLS, or
// the deadline. A checker must classify the errors of its driver first. A Fault that a
// callback of ours returned through a driver is returned unchanged.
func NetworkFault(err error) *health.Fault {
	if own, ok := errors.AsType[*health.Fault](err); ok {
		return own
	}
	return &health.Fault{Reason: NetworkReason(err), Err: err}
}

// FromNetwork reports whether the fault occurred before the service answered, so that a
// check of another address of its host may succeed.
func FromNetwork(fault *health.Fault) bool { return slices.Contains(progress, fault.Reason) }

// MoreTelling returns the fault of the attempt that got further, of two addresses of a host.
// If both got equally far, it returns the later. The earlier one may be nil.
func MoreTelling(earlier, later *health.Fault) *health.Fault {
	if earlier != nil && FromNetwork(later) && Further(earlier.Reason, later.Reason) > 0 {
		return earlier
	}
	return later
}

// progress orders reasons by how far an attempt to connect got.
var progress = []health.Reason{
	health.ReasonError, health.ReasonDNS, health.ReasonUnreachable, health.ReasonRefused, health.ReasonTimeout, health.ReasonReset, health.ReasonProtocol, health.ReasonTLS,
	health.ReasonCertificateExpired,
}

// Further compares two reasons by how far an attempt to connect got.
func Further(a, b health.Reason) int { return slices.Index(progress, a) - slices.Index(progress, b) }

// NetworkReason returns the reason of an error from below a driver.
func NetworkReason(err error) health.Reason {
	var (
		dns   *net.DNSError
		errno syscall.Errno
		timed net.Error
	)
	switch {
	case errors.As(err, &dns):
		return health.ReasonDNS
	case errors.As(err, &errno) && errnoReasons[errno] != "":
		return errnoReasons[errno]
	case IsTLS(err):
		return health.ReasonTLS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timed) && timed.Timeout():
		return health.ReasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return health.ReasonReset
	default:
		return health.ReasonError
	}
}

// errnoReasons has the reasons of system errors. ENOENT is that of a missing Unix socket: the
// server is not running.
var errnoReasons = map[syscall.Errno]health.Reason{
	syscall.ECONNREFUSED: health.ReasonRefused,
	syscall.ENOENT:       health.ReasonRefused,
	syscall.EHOSTUNREACH: health.ReasonUnreachable,
	syscall.ENETUNREACH:  health.ReasonUnreachable,
	syscall.EHOSTDOWN:    health.ReasonUnreachable,
	syscall.ENETDOWN:     health.ReasonUnreachable,
	syscall.ECONNRESET:   health.ReasonReset,
	syscall.ECONNABORTED: health.ReasonReset,
	syscall.EPIPE:        health.ReasonReset,
	syscall.ETIMEDOUT:    health.ReasonTimeout,
}

// IsTLS reports whether the error is one of TLS: of a handshake or a certificate.
func IsTLS(err error) bool {
	var (
		record    tls.RecordHeaderError
		alert     tls.AlertError
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		hostname  x509.HostnameError
		roots     x509.SystemRootsError
		op        *net.OpError
	)
	// crypto/tls reports an alert as an OpError with one of these names; AlertError
	// is for QUIC.
	if errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &hostname) || errors.As(err, &roots) ||
		isHandshake(err)
}

// isHandshake reports whether the error is one of crypto/tls without a type, such as for an
// unexpected message.
func isHandshake(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.HasPrefix(err.Error(), "tls: ") {
			return true
		}
	}
	return false
}

// Prefix is the prefix of the names of a service's variables. In messages of checkers, {NAME}
// stands for the variable with this name after the prefix.
type Prefix string

var variable = regexp.MustCompile(`\{([A-Z][A-Z_]*)\}`)

// Expand replaces each {NAME} in the text by the whole name of the variable.
func (p Prefix) Expand(text string) string {
	return variable.ReplaceAllString(text, string(p)+"$1")
}

// Explain expands the messages that a check returns.
func (p Prefix) Explain(seen health.Observation, err error) (health.Observation, error) {
	return rewrite(seen, err, p.Expand)
}

// rewrite changes the texts that a check returns: the notes and the fault's message. It
// returns copies.
func rewrite(seen health.Observation, err error, change func(string) string) (health.Observation, error) {
	if len(seen.Notes) > 0 {
		notes := make([]string, len(seen.Notes))
		for i, note := range seen.Notes {
			notes[i] = change(note)
		}
		seen.Notes = notes
	}
	var fault *health.Fault
	if errors.As(err, &fault) && fault.Message != "" {
		changed := *fault
		changed.Message = change(fault.Message)
		return seen, &changed
	}
	return seen, err
}
