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

// troubles logs each kind of trouble with one write once, until that works again.
type troubles struct {
	log  *slog.Logger
	told map[string]map[string]bool // of a write, the kinds
}

// see takes what became of a write: "condition" or "event".
func (t *troubles) see(write string, err error) {
	if err == nil {
		if len(t.told[write]) > 0 {
			t.log.Info("pod reporting works again", "write", write)
		}
		delete(t.told, write)
		return
	}
	kind, remedy := diagnose(err)
	if t.told[write][kind] {
		return
	}
	if t.told[write] == nil {
		t.told[write] = make(map[string]bool)
	}
	t.told[write][kind] = true
	t.log.Warn("pod reporting fails: trying again, and logging this kind of trouble once",
		"write", write, "kind", kind, "remedy", remedy, "error", err)
}

// knows reports whether this kind of trouble with the write was logged, and lasts.
func (t *troubles) knows(write string, err error) bool {
	kind, _ := diagnose(err)
	return t.told[write][kind]
}

// retryAfter is for how long the API server wants to be left in peace.
func retryAfter(err error) time.Duration {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	return time.Duration(seconds) * time.Second
}

// refused reports whether nothing came of the request. After any other error it may
// have been carried out, or may yet be.
func refused(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code >= http.StatusBadRequest && code < http.StatusInternalServerError
	}
	return errors.Is(err, errToken)
}

// diagnose says what kind of trouble it is, and what to do about it.
func diagnose(err error) (kind, remedy string) {
	var network net.Error
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, errToken):
		return "token", "look whether the service account's token is mounted in this container, where the error says"
	case apierrors.IsTooManyRequests(err), retryAfter(err) > 0:
		return "busy", "none needed, unless it lasts: look at the load of the API server"
	case apierrors.IsForbidden(err):
		return "forbidden", "allow the Pod's service account patch on pods/status, create and patch on events"
	case apierrors.IsUnauthorized(err):
		return "unauthorized", "look at the service account's token that is mounted in this container"
	case apierrors.IsNotFound(err):
		return "not_found", "look whether POD_NAME and POD_NAMESPACE are those of this Pod"
	case apierrors.IsInvalid(err):
		return "invalid", "look whether POD_UID is that of this Pod"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout", "look whether this Pod may reach the API server, and at the load of that"
	case errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError:
		return "server_error", "look at the log of the API server"
	case errors.As(err, &status):
		return "refused", "the error says why the API server does not take it"
	default:
		return "unreachable", "look whether this Pod may reach the API server"
	}
}
