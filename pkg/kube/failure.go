package kube

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// failureLog logs each kind of failure of a write once, until the write works again.
type failureLog struct {
	log    *slog.Logger
	logged map[string]map[string]bool // by write and kind
}

// record records the result of a write: "condition" or "event".
func (l *failureLog) record(write string, err error) {
	if err == nil {
		if len(l.logged[write]) > 0 {
			l.log.Info("pod reporting works again", "write", write)
		}
		delete(l.logged, write)
		return
	}
	kind, remedy := diagnose(err)
	if l.logged[write][kind] {
		return
	}
	if l.logged[write] == nil {
		l.logged[write] = make(map[string]bool)
	}
	l.logged[write][kind] = true
	l.log.Warn("pod reporting fails: trying again, and logging this kind of failure once",
		"write", write, "kind", kind, "remedy", remedy, "error", err)
}

// contains reports whether this kind of failure of the write was logged, and the write has not worked since.
func (l *failureLog) contains(write string, err error) bool {
	kind, _ := diagnose(err)
	return l.logged[write][kind]
}

// retryAfter returns how long the API server asks to wait.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(seconds) * time.Second
}

// refused reports whether the request certainly had no effect. After any other error it
// may have been carried out, or may yet be.
func refused(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code >= http.StatusBadRequest && code < http.StatusInternalServerError
	}
	return errors.Is(err, errToken)
}

// diagnose returns the kind of failure, and what to do about it.
func diagnose(err error) (kind, remedy string) {
	var network net.Error
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, errToken):
		return "token", "check that the service account's token is mounted in this container at the path in the error"
	case apierrors.IsTooManyRequests(err), retryAfter(err) > 0:
		return "busy", "none; if it lasts, check the load of the API server"
	case apierrors.IsForbidden(err):
		return "forbidden", "allow the Pod's service account patch on pods/status, create and patch on events"
	case apierrors.IsUnauthorized(err):
		return "unauthorized", "check the service account's token that is mounted in this container"
	case apierrors.IsNotFound(err):
		return "not_found", "check that POD_NAME and POD_NAMESPACE are those of this Pod"
	case apierrors.IsInvalid(err):
		return "invalid", "check that POD_UID is that of this Pod"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout", "check that this Pod can reach the API server, and the load of the API server"
	case errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError:
		return "server_error", "check the log of the API server"
	case errors.As(err, &status):
		return "refused", "the error says why the API server refuses it"
	default:
		return "unreachable", "check that this Pod can reach the API server"
	}
}
