//go:build e2e

package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var kube *cluster

// cluster is a client of the API server, which also leads to what Pods and the
// kubelet answer: that works wherever the kubeconfig does.
type cluster struct {
	client.WithWatch
	http *http.Client
	base string
}

func connect(kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // a client that waits for itself would measure itself
	c, err := client.NewWithWatch(config, client.Options{})
	if err != nil {
		return nil, err
	}
	h, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	h.Timeout = 10 * time.Second
	return &cluster{WithWatch: c, http: h, base: config.Host}, nil
}

// get returns the answer to a GET below the API server's root.
func (c *cluster) get(ctx context.Context, path string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// fromPod asks a port of a Pod.
func (c *cluster) fromPod(ctx context.Context, p *corev1.Pod, port int, path string) (status int, body []byte, err error) {
	return c.get(ctx, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy%s", p.Namespace, p.Name, port, path))
}

// decode reads JSON that must be whole.
func decode[T any](t testing.TB, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("read %T from %q: %v", v, body, err)
	}
	return v
}
