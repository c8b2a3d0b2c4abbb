package kube

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/reims/reims-health/pkg/readfile"
)

// manager is the field manager and the component that the API server records.
const manager = "reims-health"

// NewClient returns a client for a [Reporter], for the core API group. It has no rate
// limit, because the Reporter limits its writes, and uses no proxy. The config's
// BearerTokenFile is read for each request. NewClient does not connect, and copies the
// config. client-go logs to klog's logger.
func NewClient(config *rest.Config) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = manager
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	// A request that times out closes its HTTP/1 connection, so that the next one opens a
	// new connection. A dead HTTP/2 connection would be reused for most of a minute.
	config.NextProtos = []string{"http/1.1"}
	if path := config.BearerTokenFile; path != "" {
		config.BearerToken, config.BearerTokenFile = "", ""
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return tokenFile{path, next} })
	}

	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	group := corev1.SchemeGroupVersion
	config.APIPath, config.GroupVersion = "/api", &group
	config.ContentType = runtime.ContentTypeJSON
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	return c, nil
}

// errToken is the error of a request that was not sent, because the token could not be read.
var errToken = errors.New("read the service account's token")

// maxTokenSize bounds the file of the token, in bytes.
const maxTokenSize = 64 << 10

// tokenFile adds the current token from the file to each request. Requests
// are rare, so caching it, as client-go does for a minute, would gain nothing.
type tokenFile struct {
	path string
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t tokenFile) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := t.read()
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(r)
}

func (t tokenFile) read() (string, error) {
	raw, err := readfile.Regular(t.path, maxTokenSize)
	if err != nil {
		return "", err
	}
	token := bytes.TrimSpace(raw)
	if len(token) == 0 {
		return "", fmt.Errorf("%s is empty", t.path)
	}
	return string(token), nil
}
