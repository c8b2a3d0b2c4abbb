package grpc

import (
	"fmt"

	"github.com/reims/reims-health/pkg/health"
)

// The values of ServingStatus in grpc.health.v1 that matter here.
const (
	statusServing        = 1
	statusServiceUnknown = 3
)

var statusNames = [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

func servingStatus(status int32) string {
	if status < 0 || int(status) >= len(statusNames) {
		return fmt.Sprintf("status %d", status)
	}
	return statusNames[status]
}

// The status codes of gRPC that matter here.
const (
	codeOK                = 0
	codeDeadlineExceeded  = 4
	codeNotFound          = 5
	codePermissionDenied  = 7
	codeResourceExhausted = 8
	codeUnimplemented     = 12
	codeUnavailable       = 14
	codeUnauthenticated   = 16
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func codeName(code uint64) string {
	if code >= uint64(len(codeNames)) {
		return fmt.Sprintf("code %d", code)
	}
	return codeNames[code]
}

// codeFault returns the fault of a call that failed with a status of gRPC's. The server's
// own text is for the log only.
func (c *Checker) codeFault(code uint64, text string) *health.Fault {
	fault := &health.Fault{Err: fmt.Errorf("gRPC status %s: %q", codeName(code), text)}
	switch code {
	case codeNotFound:
		fault.Reason, fault.Message = ReasonNotServing, c.unknownService()
	case codeUnimplemented:
		fault.Reason, fault.Message = health.ReasonProtocol, "the gRPC server has no health service (grpc.health.v1.Health): register it there, or check the port with a URL of tcp or tls"
	case codeUnauthenticated:
		fault.Reason, fault.Message = health.ReasonAuth, "the gRPC server asks for credentials, and the sidecar sends none: let it answer grpc.health.v1.Health/Check without"
	case codePermissionDenied:
		fault.Reason, fault.Message = health.ReasonForbidden, "the gRPC server refuses this client: let it answer grpc.health.v1.Health/Check to the sidecar"
	case codeResourceExhausted:
		fault.Reason, fault.Message = health.ReasonOverloaded, "the gRPC server says RESOURCE_EXHAUSTED: it asks for fewer requests"
	case codeDeadlineExceeded:
		fault.Reason, fault.Message = health.ReasonTimeout, "the gRPC server, or a proxy before it, gave up: no answer within the probe's timeout"
	case codeUnavailable:
		// A server that cannot be reached says nothing; one that shuts down closes the
		// connection. It is what proxies answer for a server that is down.
		fault.Reason, fault.Message = health.ReasonProtocol, "UNAVAILABLE came in the place of an answer of the gRPC server: look at the proxy or load balancer at {CHECK}, and at whether it reaches the server"
	default:
		fault.Reason, fault.Message = health.ReasonError, "the gRPC server answers with the error "+codeName(code)+"; see its log"
	}
	return fault
}
