package kube

import (
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// manager is who the API server is told has written.
const manager = "reims-health"

// NewClient returns a client for a [Reporter], of the core API group. It waits for no
// rate limit of its own, which is the Reporter's business, and uses no proxy. The
// config's BearerTokenFile is read for each request. Nothing is dialled yet; the config
// is copied. client-go logs to klog's logger.
func NewClient(config *rest.Config) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = manager
	config.QPS = -1
	config.WarningHandlerWithContext = rest.NoWarnings{}
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	// A request that is given up on closes its HTTP/1 connection, so that the next
	// one dials. A dead HTTP/2 connection would be used again for most of a minute.
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
