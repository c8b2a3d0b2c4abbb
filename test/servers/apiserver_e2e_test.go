//go:build e2e

package servers_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reims/reims-health/test/servers"
)

// A new API server answers its administrator and nobody else, says the version that
// it was built from, and keeps what it was told over a restart.
func TestAPIServer(t *testing.T) {
	t.Parallel()
	k := servers.RunKubernetes(t)
	client := kubernetesClient(t, k)
	version, code := request(t, client, k, http.MethodGet, "/version", k.Token, "")
	if code != 200 || !strings.Contains(version, `"minor": "36"`) || !strings.Contains(version, `"gitVersion": "v1.36.`) {
		t.Errorf("%d: %s", code, version)
	}
	if body, code := request(t, client, k, http.MethodGet, "/api/v1/namespaces", "nobody", ""); code != 401 {
		t.Errorf("an unknown token is told %d: %s", code, body)
	}
	const namespace = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kept"}}`
	if body, code := request(t, client, k, http.MethodPost, "/api/v1/namespaces", k.Token, namespace); code != 201 {
		t.Errorf("%d: %s", code, body)
	}
	if err := k.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body, code := request(t, client, k, http.MethodGet, "/api/v1/namespaces/kept", k.Token, ""); code != 200 {
		t.Errorf("%d: %s", code, body)
	}
}

func kubernetesClient(t *testing.T, k *servers.Kubernetes) *http.Client {
	t.Helper()
	raw, err := os.ReadFile(k.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	return &http.Client{Timeout: 10 * time.Second, Transport: transport}
}

func request(t *testing.T, client *http.Client, k *servers.Kubernetes, method, path, token, body string) (string, int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, k.Endpoint()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), resp.StatusCode
}
