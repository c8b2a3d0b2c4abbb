//go:build e2e

package kube_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// gate stands before the API server: it keeps a list of what comes through, and can
// be slow or in the way.
type gate struct {
	underWay sync.RWMutex // held while the API server answers
	proxy    *httputil.ReverseProxy

	mu     sync.Mutex
	passed []string // method, path and status of each request
	delay  time.Duration
	refuse int // with 429, as many requests as this
}

func newGate(t *testing.T, k *servers.Kubernetes) *gate {
	t.Helper()
	target, err := url.Parse(k.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(k.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	g := &gate{proxy: httputil.NewSingleHostReverseProxy(target)}
	// No connection is kept, so that what the API server does to it is seen at once.
	g.proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	g.proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	return g
}

// ServeHTTP implements [http.Handler].
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	delay, refused := g.delay, g.refuse > 0
	if refused {
		g.refuse--
	}
	g.mu.Unlock()
	if refused { // as the API server's own priority and fairness does
		w.Header().Set("Retry-After", "2")
		http.Error(w, "Too many requests, please try again later.", http.StatusTooManyRequests)
		return
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
	}
	g.underWay.RLock()
	defer g.underWay.RUnlock()
	recorder := &recorder{ResponseWriter: w}
	g.proxy.ServeHTTP(recorder, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	if recorder.code < http.StatusBadRequest {
		g.passed = append(g.passed, r.Method+" "+r.URL.Path)
	}
}

// set changes how the gate behaves from the next request on.
func (g *gate) set(delay time.Duration, refuse int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay, g.refuse = delay, refuse
}

// take returns what the API server took since the last time. What it does shows before
// its answer is through, so take waits for answers under way.
func (g *gate) take() []string {
	g.underWay.Lock()
	defer g.underWay.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	passed := g.passed
	g.passed = nil
	return passed
}

type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}
