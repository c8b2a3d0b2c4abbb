package kube

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manager is who the API server is told has written.
const manager = "reims-health"

// NewClient returns a client for a [Reporter]: it knows Pods and Events, and makes
// one request a call. It discovers nothing, retries nothing and waits for no rate
// limit of its own, all of which are the Reporter's business, and uses no proxy.
// Nothing is dialled yet; the config is copied. The libraries log to klog's logger.
func NewClient(config *rest.Config) (client.Client, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = manager
	config.ContentType = runtime.ContentTypeJSON
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	// A request that is given up on closes its HTTP/1 connection, so that the next
	// one dials. A dead HTTP/2 connection would be used again for most of a minute.
	config.NextProtos = []string{"http/1.1"}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &refusals{next} })

	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	for _, kind := range []string{"Pod", "Event"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	c, err := client.New(config, client.Options{Scheme: scheme, Mapper: mapper, FieldOwner: manager, Log: klog.Background()})
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	return c, nil
}

// busyError is an API server's request to come back later.
type busyError struct {
	code  int
	after time.Duration
}

func (e *busyError) Error() string {
	return fmt.Sprintf("the API server answers %d and asks to wait for %s", e.code, e.after)
}

// refusals turns answers with a Retry-After into a [busyError]. Left to itself
// client-go would sleep and try again ten times, with what has become old by then.
type refusals struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (r *refusals) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusTooManyRequests && response.StatusCode < http.StatusInternalServerError {
		return response, err
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil { // none, or a date, which client-go takes no notice of either
		return response, nil //nolint:nilerr // the answer itself is what counts
	}
	return nil, closing(response, &busyError{response.StatusCode, time.Duration(max(0, seconds)) * time.Second})
}

func closing(response *http.Response, err error) error {
	_ = response.Body.Close()
	return err
}
